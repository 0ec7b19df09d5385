// Numbers as people type them, in the one form under which the register knows them (services/domain/identifiers.py).

const PLAIN = new Map([...[...'‐‑‒–—―−﹣－'].map((dash) => [dash, '-']), ['〔', '('], ['〕', ')'], ['【', '('], ['】', ')'], ['∕', '/']])
const NUMBER = /^[A-Z0-9\u4e00-\u9fff][A-Z0-9\u4e00-\u9fff./():+#*_-]{2,62}[A-Z0-9\u4e00-\u9fff)]$/

const plain = (text) => Array.from(text, (sign) => PLAIN.get(sign) ?? sign).join('')

export function normalised (text) {
  return plain(plain(text).normalize('NFKC')).toUpperCase().replace(/[\s\p{Cf}]/gu, '')
}

/** The canonical number of a certificate, declaration or mark; null where the text has no such form. */
export function certificateNumber (text) {
  const number = normalised(text)
  return NUMBER.test(number) && /[0-9]/.test(number) ? number : null
}

/** The digits of a bar code filled to 14, whatever its check digit says; null where it is no bar code. */
export function barCode (text) {
  const digits = normalised(text)
  return /^(?:[0-9]{8}|[0-9]{12,14})$/.test(digits) ? digits.padStart(14, '0') : null
}

export function checkDigitHolds (gtin) {
  let sum = 0
  for (let i = 0; i < 14; i++) sum += Number(gtin[i]) * (i % 2 ? 1 : 3)
  return sum % 10 === 0
}
