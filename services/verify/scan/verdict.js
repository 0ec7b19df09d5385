// The answer to a scanned or typed text with the network off: docs/scan.md lists the checks in this order.
// Nothing is fetched, and nothing of a code is given out before its signature holds.

import { recognise } from './address.js'
import { dayOf } from './days.js'
import { fromDecimal } from './decimal.js'
import { checkDigitHolds } from './numbers.js'
import { Refused } from './refused.js'
import { openToken, signer } from './token.js'

const CLOCK_S = 600 // what a clock may be slow before the lists seem to come from its future

/**
 * {code, why, claims, gtin, serial, trust, list}: `why` says what `status_unknown` rests on, `claims` is what the code
 * said and a registered signer stands behind.
 *
 * `held` is of held.js: `held.trust` a trust list that was believed, or null; `held.list(id)` gives one status list, or
 * throws what it was refused for; `now` is in seconds.
 */
export async function verdict (text, held, now) {
  const { trust } = held
  const asked = recognise(text, trust ? trust.hosts : held.hosts)
  const lists = { trust: trust && { version: trust.version, iat: trust.iat, exp: trust.exp }, list: null }
  const say = (code, more) => ({ code, why: null, claims: null, gtin: null, serial: null, ...lists, ...more })
  const unknown = (why, more) => say('status_unknown', { why, ...more })
  // Without a trust list nobody has said which hosts are ours, so none is called an impostor.
  if (!trust && asked.decided === 'impostor_host') return unknown(held.why ?? 'no_trust_list')
  if (asked.decided) return say(asked.decided)
  if (asked.token === null) {
    if (asked.gtin && !checkDigitHolds(asked.gtin)) return say('malformed_number')
    return unknown('needs_network')
  }
  let token
  try {
    token = openToken(fromDecimal(asked.token))
    if (!trust) return unknown(held.why ?? 'no_trust_list')
    if (trust.iat > now + CLOCK_S) return unknown('clock_behind')
    if (now >= trust.exp || now >= trust.rootExp) return unknown('trust_list_expired')
    const key = await signer(token, asked.aad, trust.markKeys)
    if (asked.number && asked.number !== token.claims.certificateNo) throw new Refused('bad_signature', 'signed for another number')
    if (key.compromised) return unknown('key_compromised')
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused
    // A key that is younger than the list may be among what it could not know yet.
    const younger = refused.code === 'unknown_signer' && token.claims.issuedDay > dayOf(trust.iat)
    return younger && token.claims.issuedDay <= dayOf(now) ? unknown('newer_than_list') : say(refused.code)
  }
  if (asked.gtin && !checkDigitHolds(asked.gtin)) return say('malformed_number')
  const { claims } = token
  const shown = { claims, gtin: asked.gtin ?? null, serial: asked.serial ?? null }
  if (claims.lastDay !== null && dayOf(now) > claims.lastDay) return unknown('printed_validity_past', shown)
  let list
  try {
    list = await held.list(claims.list)
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused
    return unknown('status_list_refused', shown) // for the reader all the same: it cannot be relied on
  }
  if (list === null) return unknown('no_status_list', shown)
  lists.list = { id: claims.list, iat: list.iat, exp: list.exp }
  if (list.iat > now + CLOCK_S) return unknown('clock_behind', shown)
  if (now >= list.exp) return unknown('status_list_expired', shown)
  const said = list.at(claims.index)
  if (said === null) return unknown('status_list_refused', shown)
  const unit = said === 'valid' && shown.serial !== null ? await list.unit(claims.markNo, asked.aad) : 'stands'
  if (unit === 'untold') return unknown('unit_untold', shown)
  return say(unit === 'voided' ? 'mark_not_authorized' : said, shown)
}
