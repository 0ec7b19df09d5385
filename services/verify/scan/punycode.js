// A label of a host out of its ASCII form (RFC 3492): browsers make these and do not read them back for us.

const [BASE, LEAST, MOST, SKEW, DAMP, FIRST_BIAS, FIRST] = [36, 1, 26, 38, 700, 72, 128]

/** The text of a label without its `xn--`; null where it is none. */
export function unpunycoded (label) {
  const end = label.lastIndexOf('-')
  const signs = end > 0 ? Array.from(label.slice(0, end), (sign) => sign.codePointAt(0)) : []
  let [code, bias, place, at] = [FIRST, FIRST_BIAS, 0, end > 0 ? end + 1 : 0]
  while (at < label.length) {
    const before = place
    for (let weight = 1, step = BASE; ; step += BASE) {
      const digit = parseInt(label[at++], BASE)
      if (Number.isNaN(digit)) return null
      // Letters come first in its alphabet, digits last; parseInt has them the other way round.
      const value = digit < 10 ? digit + 26 : digit - 10
      place += value * weight
      const limit = Math.min(Math.max(step - bias, LEAST), MOST)
      if (value < limit) break
      weight *= BASE - limit
      if (weight > 2 ** 31) return null
    }
    const count = signs.length + 1
    bias = adapted(place - before, count, before === 0)
    code += Math.floor(place / count)
    place %= count
    if (code > 0x10ffff) return null
    signs.splice(place++, 0, code)
  }
  return String.fromCodePoint(...signs)
}

function adapted (delta, count, first) {
  let left = first ? Math.floor(delta / DAMP) : Math.floor(delta / 2)
  left += Math.floor(left / count)
  let steps = 0
  for (; left > ((BASE - LEAST) * MOST) / 2; steps += BASE) left = Math.floor(left / (BASE - LEAST))
  return steps + Math.floor(((BASE - LEAST + 1) * left) / (left + SKEW))
}
