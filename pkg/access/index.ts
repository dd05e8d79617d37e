/* bearer-tokens.ts, issuer-keys.ts and sessions.ts are imported by their files: each brings a package of its own. */
export { type Auth, type AuthenticateDeps, authenticate } from './authenticate.ts'
export { ACCESS_PROBLEMS } from './problems.ts'
