// Signed CBOR: what exactly is signed, of one signer (COSE_Sign1) and of several (COSE_Sign), RFC 9052 4.4.

import { isBytes, read, write } from './cbor.js'
import { ED25519, ESP256, KID_BYTES } from './keys.js'
import { Refused } from './refused.js'

const SIGN1 = 18
const SIGN = 98
const SIGNATURE_BYTES = 64
const NOTHING = new Uint8Array()

/** {alg, kid, type, payload, signature, message} of a tag 18. `code` names a refusal. */
export function openSign1 (bytes, code) {
  const [protectedHeader, payload, signature] = parts(read(bytes, code, SIGN1), 4, code)
  const message = write(['Signature1', protectedHeader, NOTHING, payload])
  return { ...header(protectedHeader, [1, 4, 16], code), payload, signature: whole(signature, code), message }
}

/** {protectedHeader, payload, signatures: [{alg, kid, signature, message}]} of a tag 98. */
export function openSign (bytes, code) {
  const [protectedHeader, payload, signers] = parts(read(bytes, code, SIGN), 4, code)
  if (!Array.isArray(signers)) throw new Refused(code, 'not a COSE_Sign')
  const signatures = signers.map((one) => {
    const [own, signature] = parts(one, 3, code)
    const message = write(['Signature', protectedHeader, own, NOTHING, payload])
    return { ...header(own, [1, 4], code), signature: whole(signature, code), message }
  })
  return { protectedHeader, payload, signatures }
}

/** The parts of an array without its second, the unprotected header, in which nothing may be. */
function parts (told, length, code) {
  const [protectedHeader, unprotected, ...rest] = Array.isArray(told) ? told : []
  if (told?.length !== length || !(unprotected instanceof Map) || unprotected.size || ![protectedHeader, rest[0]].every(isBytes)) {
    throw new Refused(code, 'not COSE of the form that is read here')
  }
  return [protectedHeader, ...rest]
}

function whole (signature, code) {
  if (!isBytes(signature) || signature.length !== SIGNATURE_BYTES) throw new Refused(code, 'not a signature of 64 bytes')
  return signature
}

function header (bytes, names, code) {
  const members = read(bytes, code)
  const fits = members instanceof Map && members.size === names.length && names.every((name) => members.has(name))
  const [alg, kid] = fits ? [members.get(1), members.get(4)] : []
  if (![ED25519, ESP256].includes(alg) || !isBytes(kid) || kid.length !== KID_BYTES) throw new Refused(code, 'a header of another form')
  return { alg, kid, type: members.get(16) }
}
