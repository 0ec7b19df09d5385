// Inflating with a limit: what would grow beyond it is refused while it grows.

import { Refused } from './refused.js'

/** The inflated bytes of zlib data. More than `most` is refused by `tooLarge`, what is no zlib data by `code`. */
export async function inflate (compressed, most, code, tooLarge) {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('deflate'))
  const reader = stream.getReader()
  const pieces = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.length
      if (size > most) throw new Refused(tooLarge, 'inflates to more than a list may')
      pieces.push(value)
    }
  } catch (error) {
    reader.cancel().catch(() => {})
    throw error instanceof Refused ? error : new Refused(code, 'not zlib data')
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
