// The mark token, taken apart but not yet believed, and then checked against keys (docs/verification.md, The QR of a mark).

import { isCount, isText, read, same, write } from './cbor.js'
import { ED25519, ESP256, KID_BYTES, named } from './keys.js'
import { Refused, Unreadable } from './refused.js'

const ALG = { 1: ED25519, 2: ESP256 }
const SIGNATURE_BYTES = 64
const HEAD = 1 + KID_BYTES
const MODEL_BYTES = 24
const LAST_DAY = 2932896 // 9999-12-31

/** {alg, kid, payload, signature, claims}; nothing of `claims` may be shown before `signer` has found who stands behind it. */
export function openToken (token) {
  const alg = ALG[token[0]]
  if (token.length <= HEAD + SIGNATURE_BYTES || alg === undefined) throw new Unreadable('not a token of a known version')
  const payload = token.slice(HEAD, -SIGNATURE_BYTES)
  const claims = claimsOf(read(payload, 'unreadable'))
  if (!same(encoded(claims), payload)) throw new Unreadable('the payload is not in canonical form')
  return { alg, kid: token.slice(1, HEAD), payload, signature: token.slice(-SIGNATURE_BYTES), claims }
}

/** The mark key whose signature holds at this address; throws `unknown_signer` or `bad_signature`. */
export async function signer (token, aad, keys) {
  const protectedHeader = write(new Map([[1, token.alg], [4, token.kid]]))
  const message = write(['Signature1', protectedHeader, aad, token.payload])
  const there = (await named(keys, token.alg, token.kid)).filter((key) => key.signedOn(token.claims.issuedDay))
  if (!there.length) throw new Refused('unknown_signer', 'no mark key with this kid on the day of signing')
  for (const key of there) {
    if (await key.public.verify(token.signature, message)) return key
  }
  throw new Refused('bad_signature', 'the signature does not hold for this content at this address')
}

function claimsOf (members) {
  if (!Array.isArray(members) || (members.length !== 7 && members.length !== 8)) throw new Unreadable('not seven or eight members')
  const [issuedDay, validDays, markNo, certificateNo, list, index, model, itemNo] = members
  const counts = [issuedDay, validDays, list, index, itemNo ?? 0]
  if (!counts.every((count) => isCount(count) && count < 2 ** 32) || !isText(model)) throw new Unreadable('a member of another kind')
  if (![markNo, certificateNo].every((number) => isText(number) || isCount(number) || typeof number === 'bigint')) {
    throw new Unreadable('a number that is neither digits nor text')
  }
  if (issuedDay > LAST_DAY || (validDays && issuedDay + validDays > LAST_DAY)) throw new Unreadable('a date beyond the calendar')
  if (new TextEncoder().encode(model).length > MODEL_BYTES) throw new Unreadable('a model that is too long')
  return {
    issuedDay,
    validDays,
    lastDay: validDays ? issuedDay + validDays - 1 : null,
    markNo: String(markNo),
    certificateNo: String(certificateNo),
    list,
    index,
    model,
    itemNo: members.length === 8 ? itemNo : null
  }
}

function encoded (claims) {
  const members = [claims.issuedDay, claims.validDays, number(claims.markNo), number(claims.certificateNo), claims.list, claims.index, claims.model]
  if (claims.itemNo !== null) members.push(claims.itemNo)
  return write(members)
}

/** Canonical decimal digits below 2^64 as an integer, anything else as text. */
function number (text) {
  if (/^(0|[1-9][0-9]{0,19})$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text)
  return text
}
