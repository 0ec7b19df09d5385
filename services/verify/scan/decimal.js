// A token as the decimal number in a QR, and back to bytes.

import { Unreadable } from './refused.js'

const FORM = /^[1-9][0-9]{150,500}$/

/** The bytes of a decimal number. The alphabet comes first: other scripts have digits, too, and none of them counts. */
export function fromDecimal (text) {
  if (!FORM.test(text)) throw new Unreadable('not a number of 151 to 501 ASCII digits')
  let hex = BigInt(text).toString(16)
  if (hex.length % 2) hex = '0' + hex
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
