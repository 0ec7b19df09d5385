// Bytes from this host, never more of them than wanted.

import { Refused } from './refused.js'

export async function bytesFrom (address, most) {
  let response
  try {
    response = await fetch(address, { credentials: 'omit', cache: 'no-cache', signal: AbortSignal.timeout(15000) })
  } catch {
    throw new Refused('no_network', 'no answer')
  }
  if (!response.ok) throw new Refused(`http_${response.status}`, 'not there')
  const reader = response.body.getReader()
  const pieces = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > most) {
      reader.cancel().catch(() => {})
      throw new Refused('too_large', 'more than it may be')
    }
    pieces.push(value)
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer())
}
