/** What each code answers, in the form of a table of pkg/web. */
export const ACCESS_ERRORS = {
  unauthenticated: { status: 401, detail: 'This needs a bearer token or a session.' },
  invalid_token: { status: 401, detail: 'The bearer token is not valid here.' },
  expired_token: { status: 401, detail: 'The bearer token has expired.' },
  token_required: { status: 403, detail: 'A session is started with a bearer token.' },
  cross_site_request: { status: 403, detail: 'A page of another site may not change anything with a session.' },
  insecure_connection: { status: 403, detail: 'A session starts on a connection over TLS only.' },
  keys_unavailable: {
    status: 503,
    detail: 'The keys that tell whether the token is valid cannot be had now.',
    retryAfterSeconds: 5,
  },
  sessions_unavailable: { status: 503, detail: 'Sessions cannot be looked up now.', retryAfterSeconds: 1 },
} as const

export type AccessErrorCode = keyof typeof ACCESS_ERRORS

/** `code` is one of ACCESS_ERRORS. */
export const accessError = (code: AccessErrorCode, cause?: unknown) =>
  Object.assign(new Error(code.replaceAll('_', ' '), { cause }), { code })
