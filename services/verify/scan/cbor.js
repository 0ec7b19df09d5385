// CBOR in its one shortest form, read by a library and by nothing of our own.

import { decode, encode, rfc8949EncodeOptions } from './lib/cborg/cborg.js'
import { Refused } from './refused.js'

const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: true,
  useMaps: true,
  rejectDuplicateMapKeys: true
}

/**
 * The value of these bytes; `tag` is the one tag that may stand around it. What is not CBOR in its deterministic form is
 * refused by `code`, so that two readers cannot understand the same bytes differently.
 */
export function read (bytes, code, tag) {
  let tagged = false
  const tags = tag === undefined ? {} : { [tag]: (content) => { tagged = true; return content() } }
  let value
  try {
    value = decode(bytes, { ...STRICT, tags })
  } catch {
    throw new Refused(code, 'not CBOR of the form that is read here')
  }
  if (tag !== undefined && !tagged) throw new Refused(code, `not tagged ${tag}`)
  if (tag === undefined && !same(write(value), bytes)) throw new Refused(code, 'not in its deterministic form')
  return value
}

export const write = (value) => encode(value, rfc8949EncodeOptions)

export const isBytes = (value) => value instanceof Uint8Array
export const isText = (value) => typeof value === 'string'
export const isCount = (value) => Number.isSafeInteger(value) && value >= 0

export function same (a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
