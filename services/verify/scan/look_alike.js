// Whether a host means to be taken for one of ours (services/verify/look_alike.py, from which the table of shapes comes).

import { PAIRS, SHAPES } from './shapes.js'
import { unpunycoded } from './punycode.js'

const DEFAULT_PORT = { http: '80', https: '443' }

/** The host with its port as the trust list names it: lower case, no final dot, no port that the scheme implies. */
export function hostOf (scheme, netloc) {
  const told = netloc.toLowerCase()
  if (told.includes('@')) return told // whatever stands before the @ is there to mislead: no host of ours
  const [, name, port] = /^(.*?)(?::([0-9]*))?$/s.exec(told)
  const host = name.replace(/\.$/, '')
  return !port || Number(port) === Number(DEFAULT_PORT[scheme]) ? host : `${host}:${Number(port)}`
}

/** Is one of our hosts in the address, or one letter away from its host, or does it print alike? */
export function looksLikeOurs (netloc, path, hosts) {
  const told = netloc.toLowerCase()
  const host = skeleton(told.split('@').at(-1).split(':')[0].replace(/\.+$/, ''))
  return hosts.map((ours) => ours.split(':')[0])
    // An address in digits, or a machine's own name, is nobody's look-alike.
    .filter((name) => name.replace(/^[[\]0-9.]+|[[\]0-9.]+$/g, '').includes('.'))
    .some((name) => told.includes(name) || path.toLowerCase().includes(name) || near(host, skeleton(name)))
}

/** A host as the eye takes it. */
function skeleton (host) {
  const labels = host.split('.').map((label) => label.startsWith('xn--') ? unpunycoded(label.slice(4)) ?? label : label)
  const shape = Array.from(labels.join('.').normalize('NFKD').toLowerCase(), (sign) => SHAPES[sign] ?? sign).join('')
  return PAIRS.reduce((text, [pair, letter]) => text.replaceAll(pair, letter), shape.replace(/[\p{M}\p{Cf}]/gu, ''))
}

/** The same, or one letter changed, added, left out, or two neighbours exchanged. */
function near (one, other) {
  if (one === other) return true
  if (Math.abs(one.length - other.length) > 1) return false
  let at = 0
  while (at < one.length && at < other.length && one[at] === other[at]) at++
  const [left, right] = [one.slice(at), other.slice(at)]
  const exchanged = Array.from(right.slice(0, 2)).reverse().join('')
  return left.slice(1) === right.slice(1) || left.slice(1) === right || left === right.slice(1) ||
    (left.slice(0, 2) === exchanged && left.slice(2) === right.slice(2))
}
