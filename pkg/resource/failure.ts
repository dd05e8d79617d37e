/** An error that the one who asked can act upon. What its code means in HTTP is not known here. */
export class Failure extends Error {
  readonly code: string

  constructor(code: string, options?: ErrorOptions) {
    super(code, options)
    this.name = 'Failure'
    this.code = code
  }
}
