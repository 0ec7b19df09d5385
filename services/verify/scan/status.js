// Status lists (IETF Token Status List in CBOR): who may sign one, until when it counts, and what it says of an index
// and of one unit's code.

import { isBytes, isCount, isText, read } from './cbor.js'
import { openSign1 } from './cose.js'
import { inflate } from './inflate.js'
import { named } from './keys.js'
import { dayOf } from './days.js'
import { Refused } from './refused.js'
import { isPacked, unitIn } from './voided.js'

const TYPE = 'application/statuslist+cwt'
const PLACES = 2 ** 20
const BITS = 2
export const MOST_BYTES = 512 * 1024

const SUBJECT = 2
const EXPIRES = 4
const ISSUED = 6
const LIST = 65533
const TTL = 65534
const VOIDED = -65537

/** What a place says, as answer codes. */
export const SAYS = ['valid', 'revoked', 'suspended', 'cancelled']

/**
 * {iat, exp, at(index), unit(markNo, printed)} of a list once a key of purpose `status` stands behind it; `at` gives an
 * answer code, or null where the list does not reach so far; `unit` what voided.js says. A list of another name than
 * `uri` is another list, whoever signed it. Its expiry is for the asker to look at. Refusals bear the names of
 * services/marks/status_list.py.
 */
export async function openList (bytes, uri, signers) {
  if (bytes.length > MOST_BYTES) throw new Refused('list-too-large', 'larger than a list may be')
  const signed = openSign1(bytes, 'list-unreadable')
  if (signed.type !== TYPE) throw new Refused('list-unreadable', 'not a status list')
  const ours = (await named(signers, signed.alg, signed.kid))
  if (!ours.length) throw new Refused('list-unknown-signer', 'no key with this kid')
  const status = ours.filter((key) => key.purpose === 'status')
  if (!status.length) throw new Refused('list-wrong-purpose', 'a key for something else')
  // Whoever has the key can sign any date: what a compromised key signed says nothing.
  const sound = status.filter((key) => !key.compromised)
  if (!sound.length) throw new Refused('list-unknown-signer', 'the only key with this kid is compromised')
  for (const key of sound) {
    if (!await key.public.verify(signed.signature, signed.message)) continue
    const list = await content(signed.payload)
    if (!key.signedOn(dayOf(list.iat))) throw new Refused('list-unknown-signer', 'its key did not sign on that day')
    if (list.uri !== uri) throw new Refused('list-not-this-one', 'another list')
    return list
  }
  throw new Refused('list-bad-signature', 'the signature does not match the content')
}

async function content (payload) {
  const claims = read(payload, 'list-unreadable')
  const found = claims instanceof Map ? [SUBJECT, ISSUED, EXPIRES, LIST, TTL].map((name) => claims.get(name)) : []
  const [uri, iat, exp, list, ttl] = found
  if (!isText(uri) || ![iat, exp, ttl].every(isCount) || !(list instanceof Map)) throw new Refused('list-unreadable', 'a claim is missing')
  const packed = list.get('lst')
  if (list.get('bits') !== BITS || !isBytes(packed)) throw new Refused('list-unreadable', 'not two bits a place')
  const voided = claims.get(VOIDED)
  if (claims.has(VOIDED) && !(isBytes(voided) && isPacked(voided))) throw new Refused('list-unreadable', 'not hashes in their order')
  const entries = await inflate(packed, (PLACES * BITS) / 8, 'list-unreadable', 'list-too-large')
  return {
    uri,
    iat,
    exp,
    at: (index) => {
      const byte = entries[index >> 2]
      return byte === undefined ? null : SAYS[(byte >> (2 * (index & 3))) & 3]
    },
    unit: (markNo, printed) => unitIn(voided, markNo, printed)
  }
}
