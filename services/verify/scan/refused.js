// What refuses a code, a list or a document: never with anything of what it said.

export class Refused extends Error {
  /** `code` is an answer code for a token, a stable name for a list or a trust document. */
  constructor (code, detail) {
    super(detail)
    this.code = code
  }
}

export class Unreadable extends Refused {
  constructor (detail) {
    super('unreadable', detail)
  }
}
