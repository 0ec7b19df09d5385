// The single codes that count no more, as a status list names them: hashes of 8 bytes, ascending, none twice.
// The same decisions as services/marks/voided.py, which the tests compare with this file.

const BYTES = 8

/** Whether these bytes have the one form; what has not could be looked through in vain. */
export function isPacked (voided) {
  if (voided.length % BYTES) return false
  for (let at = BYTES; at < voided.length; at += BYTES) {
    if (compared(voided, at - BYTES, voided.subarray(at, at + BYTES)) >= 0) return false
  }
  return true
}

/**
 * What a list says of the unit whose code is signed for `printed`: `voided`, `stands`, or `untold` where it names no
 * codes at all (`voided` is undefined), or says of the whole mark that some are voided which it does not name.
 */
export async function unitIn (voided, markNo, printed) {
  if (voided === undefined) return 'untold'
  if (names(voided, await hash(markNo, printed))) return 'voided'
  return names(voided, await hash(markNo, new Uint8Array())) ? 'untold' : 'stands'
}

async function hash (markNo, printed) {
  const told = new Uint8Array([...new TextEncoder().encode(`certmark-voided\n${markNo}\n`), ...printed])
  return new Uint8Array(await crypto.subtle.digest('SHA-256', told), 0, BYTES)
}

function names (voided, wanted) {
  let [low, high] = [0, voided.length / BYTES]
  while (low < high) {
    const middle = (low + high) >> 1
    const order = compared(voided, middle * BYTES, wanted)
    if (order === 0) return true
    if (order < 0) low = middle + 1
    else high = middle
  }
  return false
}

/** Negative where the hash at a place comes before the other one. */
function compared (voided, at, other) {
  for (let i = 0; i < BYTES; i++) {
    if (voided[at + i] !== other[i]) return voided[at + i] - other[i]
  }
  return 0
}
