import { boolean, integer, publicUrl, text, url } from './formats.ts'

/** The variables of `app respond`, besides those of the service. */
export const responderVariables = {
  RESPONDER_PORT: integer(0, 65_535).default(9095),
  RESPONDER_RULES: text(/^\/.{1,4096}$/, 'an absolute path').optional(),
  RESPONDER_STATE: text(/^\/.{1,4096}$/, 'an absolute path').optional(),
  RESPONDER_SECRET: text(/^[\x21-\x7e]{32,1000}$/, 'at least 32 characters without a space').optional(),
  RESPONDER_DRY_RUN: boolean().default(true),
  RESPONDER_WECOM_URL: url(['https:', 'http:'], 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…')
    // fetch() rejects a URL with credentials.
    .refine((text) => !text.includes('@'), 'a URL without credentials')
    .optional(),
  RESPONDER_PROMETHEUS: publicUrl(['http:', 'https:'], 'http://prometheus:9090').optional(),
}
