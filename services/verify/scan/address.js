// What a text is: one of our addresses with or without a token, a number, an imitation, or none of our business.
// The same decisions as services/verify/recognise.py, which the tests compare with this file.

import { hostOf, looksLikeOurs } from './look_alike.js'
import { barCode, certificateNumber, checkDigitHolds, normalised } from './numbers.js'

const LONGEST = 2048
const LABEL = /^(?:[\u4e00-\u9fff]{0,10}(?:编号|证书号|标志号|有机码|条码|信用代码)|(?:certificate|mark|declaration) ?(?:no\.?|number))(?:\s*[:：]\s*(?=\S)|\s*(?=[0-9A-Za-z０-９]))/i
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]{1,30}:(?=[^0-9]|$)/
const EVERYDAY = /^(tel|sms|smsto|mailto|wifi|geo|weixin|wxp|alipays?|data|javascript|file|ftp):/i
const BARE_HOST = /^(?:[A-Za-z0-9.-]+\.[A-Za-z]{2,24}(:[0-9]{1,5})?(\/|$)|[\p{L}\p{N}_.-]+\.[\p{L}\p{N}_]{2,24}(:[0-9]{1,5})?\/(c|m|01)\/)/u
const GTIN_PATH = /^\/01\/([^/]{1,40})(?:\/22\/[^/]{1,80})?(?:\/10\/[^/]{1,80})?(?:\/21\/([^/]{1,80}))?\/?$/
const NUMBER_PATH = /^\/([cm])\/(.{1,400}?)\/?$/s
const ELEMENTS = /^\(01\)([0-9]{14})(?:\(21\)([!-z]{1,20}))?$/
const SERIAL = /^[!-"%-?A-Z_a-z]{1,20}$/
const FEWEST_DIGITS = 6

/**
 * {decided} where the text alone decides; {token, aad, gtin, serial, number} of a mark's code, still unread; {number} or
 * {gtin} where somebody asks for a number, which only the register can answer. `hosts` are lower-case, with their port.
 */
export function recognise (given, hosts) {
  let text = given.trim()
  if (text.length > LONGEST) return { decided: 'not_ours' }
  text = text.replace(/[。，；、,;]+$/, '').replace(LABEL, '')
  const address = split(text, hosts)
  if (address) return ofAddress(address, hosts)
  const elements = ELEMENTS.exec(text.normalize('NFKC').replaceAll(' ', ''))
  if (elements) return ofGtin(elements[1], elements[2], null)
  if (EVERYDAY.test(text) || (SCHEME.test(text) && !isNumber(text))) return { decided: 'not_ours' }
  return ofNumber(text)
}

function split (text, hosts) {
  const lower = text.toLowerCase()
  if (!/^https?:\/\//.test(lower)) {
    const ours = hosts.some((host) => lower.startsWith(`${host}/`) || lower.startsWith(`//${host}/`))
    if (!ours && !(BARE_HOST.test(text) && text.includes('/'))) return null
    text = `https://${text.replace(/^\/+/, '')}`
  }
  const [, scheme, netloc, path, query] = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/is.exec(text.replace(/[\t\r\n]/g, ''))
  const port = /:([^:@\]]*)$/.exec(netloc)?.[1]
  if (port && !(/^[0-9]+$/.test(port) && Number(port) < 65536)) return { netloc: '', host: '', path: '', query: '' }
  return { netloc, host: hostOf(scheme.toLowerCase(), netloc), path, query: query ?? '' }
}

function ofAddress ({ netloc, host, path, query }, hosts) {
  const token = query.split('&').find((part) => part.startsWith('m='))?.slice(2) ?? null
  const product = GTIN_PATH.exec(path)
  const number = NUMBER_PATH.exec(path)
  if (!hosts.includes(host)) {
    // A GTIN in a path is GS1's form and everybody's; our token behind it, or one of our numbers, is not.
    const imitates = ((product || number) && token !== null && /^\p{Decimal_Number}/u.test(token)) ||
      (number && isNumber(decoded(number[2]))) || looksLikeOurs(netloc, path, hosts)
    return { decided: imitates ? 'impostor_host' : 'not_ours' }
  }
  if (product) return ofGtin(decoded(product[1]), product[2] === undefined ? undefined : decoded(product[2]), token)
  if (number?.[1] === 'c') return ofCertificate(decoded(number[2]), token)
  if (number) return ofCertificate(decoded(number[2]), null)
  return { decided: 'not_ours' }
}

function ofGtin (text, serial, token) {
  const gtin = barCode(text)
  if (gtin === null) return { decided: 'malformed_number' }
  if (serial !== undefined && !SERIAL.test(serial)) return { decided: checkDigitHolds(gtin) ? 'unreadable' : 'malformed_number' }
  return { gtin, serial: serial ?? null, token, aad: bytes(`01${gtin}${serial === undefined ? '' : `21${serial}`}`) }
}

function ofCertificate (text, token) {
  const number = certificateNumber(text)
  if (number === null) return { decided: 'malformed_number' }
  return { number, token, aad: bytes(`c${number}`) }
}

function ofNumber (text) {
  const number = certificateNumber(text)
  return number === null ? { decided: 'malformed_number' } : { number, token: null }
}

/** Whether a text that may be anything, such as another site's /c/…, looks like one of our numbers. */
function isNumber (text) {
  const number = certificateNumber(text)
  return number !== null && normalised(number).replace(/[^0-9]/g, '').length >= FEWEST_DIGITS
}

function decoded (text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return '\ufffd' // a percent sign that encodes nothing: no number and no bar code has this
  }
}

const bytes = (text) => new TextEncoder().encode(text)
