// The trust list: root documents that hand over to one another, and the list that the last one's delegates sign.
// The rules and the names of refusals are those of services/marks/trust_list.py, which the tests compare with this file.

import { isBytes, isCount, isText, read, same } from './cbor.js'
import { openSign } from './cose.js'
import { named, publicKey } from './keys.js'
import { Refused } from './refused.js'

const TYPE = 'application/certmark-trust+cbor'
const UNREADABLE = 'trust-unreadable'
const MOST_KEYS = 16
const MOST_DOCUMENTS = 256
export const MOST_BYTES = 1024 * 1024

const COMMON = ['v', 'kind', 'version', 'iat', 'exp', 'register']
const ROOT = [...COMMON, 'roots', 'threshold', 'delegates']
const LIST = [...COMMON, 'root', 'hosts', 'status', 'signers']
const SIGNER = ['kid', 'alg', 'key', 'issuer', 'purpose', 'from', 'until', 'state', 'since']

/**
 * {list, rootVersion, rootExp, pin} of a bundle, to who pinned the digest of one root document's content. Without a pin
 * the first root is taken as it stands: whoever gives it out gave out this script as well. `seen` is {root, list}, the
 * highest versions met so far; `now` is in seconds.
 */
export async function walk (data, pin, now, seen = { root: 0, list: 0 }) {
  if (data.length > MOST_BYTES) throw new Refused(UNREADABLE, 'a bundle that is too large')
  const parts = read(data, UNREADABLE)
  if (!Array.isArray(parts) || parts.length < 2 || parts.length > MOST_DOCUMENTS || !parts.every(isBytes)) {
    throw new Refused(UNREADABLE, 'not a root, a list, and byte strings')
  }
  const documents = await Promise.all(parts.map(openDocument))
  const last = documents.pop()
  const place = pin ? documents.findIndex((one) => one.digest === pin) : 0
  if (place < 0) throw new Refused('trust-unknown-root', 'none of them is the pinned one')
  let root = await firstRoot(documents[place])
  for (const next of documents.slice(place + 1)) root = await nextRoot(root, next)
  const list = await delegated(last, root)
  if (root.version < seen.root || (root.version === seen.root && list.version < seen.list)) {
    throw new Refused('trust-rolled-back', 'older than what was seen')
  }
  if (root.exp <= now) throw new Refused('trust-root-expired', 'the last root has run out')
  if (list.exp <= now) throw new Refused('trust-list-expired', 'the list has run out')
  return { list, rootVersion: root.version, rootExp: root.exp, pin: documents.at(-1).digest }
}

async function openDocument (bytes) {
  const { payload, signatures, protectedHeader } = openSign(bytes, UNREADABLE)
  const head = read(protectedHeader, UNREADABLE)
  if (!(head instanceof Map) || head.size !== 1 || head.get(16) !== TYPE) throw new Refused(UNREADABLE, 'not a trust document')
  if (!signatures.length || signatures.length > MOST_KEYS) throw new Refused(UNREADABLE, 'none or too many signatures')
  return { payload, signatures, content: await content(read(payload, UNREADABLE)), digest: await digestOf(payload) }
}

async function digestOf (bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

// --- what documents say ---

async function content (told) {
  const kind = told instanceof Map ? told.get('kind') : null
  const members = exactly(told, kind === 'root' ? ROOT : LIST)
  const { version, iat, exp, register } = members
  const head = members.v === 1 && [version, iat, exp].every(isCount) && version > 0 && isText(register) && /^[0-9a-f]{64}$/.test(register)
  if (!head || (kind !== 'root' && kind !== 'list')) throw new Refused(UNREADABLE, 'a member of another kind')
  const common = { kind, version, iat, exp, register }
  return kind === 'root' ? { ...common, ...await rootOf(members) } : { ...common, ...await listOf(members) }
}

async function rootOf ({ roots, threshold, delegates, iat, exp }) {
  const keys = await keysOf(roots)
  const handed = await keysOf(delegates)
  const all = [...keys, ...handed]
  const twice = all.some((one, at) => all.slice(at + 1).some((other) => same(one.public.bytes, other.public.bytes)))
  if (twice || !handed.length || !isCount(threshold) || threshold < 1 || threshold > keys.length || exp <= iat) {
    throw new Refused(UNREADABLE, 'a root that contradicts itself')
  }
  return { keys, threshold, delegates: handed }
}

async function keysOf (told) {
  if (!Array.isArray(told) || told.length > MOST_KEYS) throw new Refused(UNREADABLE, 'not a few keys')
  return Promise.all(told.map(async (one) => ({ public: await keyOf(exactly(one, ['kid', 'alg', 'key'])) })))
}

async function keyOf ({ kid, alg, key }) {
  const found = publicKey(key, UNREADABLE)
  if (found.alg !== alg || !isBytes(kid) || !same(await found.kid(), kid)) throw new Refused(UNREADABLE, 'a kid or alg that is not its own')
  return found
}

async function listOf ({ root, hosts, status, signers }) {
  const texts = [status, ...(Array.isArray(hosts) ? hosts : [null])]
  if (!isCount(root) || !texts.every(isText) || !Array.isArray(signers)) throw new Refused(UNREADABLE, 'a member of another kind')
  return { root, hosts, status, signers: await Promise.all(signers.map(signerOf)) }
}

async function signerOf (told) {
  const { issuer, purpose, from, until, state, since, ...key } = exactly(told, SIGNER)
  if (![issuer, purpose, state].every(isText) || !isCount(from) || !(until === null || isCount(until))) {
    throw new Refused(UNREADABLE, 'a signer of another form')
  }
  if (!['active', 'retired', 'compromised'].includes(state) || (since === null) !== (state === 'active')) {
    throw new Refused(UNREADABLE, 'a state that nothing has')
  }
  return {
    public: await keyOf(key),
    purpose,
    compromised: state === 'compromised',
    signedOn: (day) => from <= day && (until === null || day <= until)
  }
}

/** The members of a map that has these and no other. */
function exactly (told, names) {
  if (!(told instanceof Map) || told.size !== names.length || !names.every((name) => told.has(name))) {
    throw new Refused(UNREADABLE, 'other members than the format says')
  }
  return Object.fromEntries(told)
}

// --- who stands behind them ---

/** The roots before it have signed it, too: of their signatures nothing is known here, and nothing rests on them. */
async function firstRoot (document) {
  const root = asRoot(document)
  enough(root, await signedBy(document, root.keys, root.delegates, null))
  return root
}

async function nextRoot (before, document) {
  const root = asRoot(document)
  const keys = [...before.keys, ...root.keys]
  const signed = await signedBy(document, keys, [...before.delegates, ...root.delegates], 'trust-unknown-signer')
  if (root.register !== before.register) throw new Refused('trust-other-register', 'a root of another register')
  if (root.version !== before.version + 1) throw new Refused('trust-rolled-back', 'versions that do not follow each other')
  enough(before, signed)
  enough(root, signed)
  return root
}

async function delegated (document, root) {
  const list = document.content
  if (list.kind !== 'list') throw new Refused(UNREADABLE, 'the last document is no list')
  await signedBy(document, root.delegates, [...root.keys, ...list.signers], 'trust-unknown-delegate')
  if (list.register !== root.register || list.root !== root.version) throw new Refused('trust-other-register', 'a list under another root')
  return list
}

function asRoot ({ content }) {
  if (content.kind !== 'root') throw new Refused(UNREADABLE, 'a list among the roots')
  return content
}

/** The keys behind the signatures. Every one has to hold and to be entitled, and none counts twice; without `unknown` those of strangers are passed over. */
async function signedBy (document, entitled, others, unknown) {
  const found = []
  for (const { alg, kid, signature, message } of document.signatures) {
    const keys = await named(entitled, alg, kid)
    if (!keys.length) {
      const wrong = (await named(others, alg, kid)).length > 0
      if (!wrong && unknown === null) continue
      throw new Refused(wrong ? 'trust-wrong-purpose' : unknown, 'a key that may not sign this')
    }
    let behind = null
    for (const key of keys) if (behind === null && await key.public.verify(signature, message)) behind = key.public.bytes
    if (behind === null) throw new Refused('trust-bad-signature', 'a signature that does not match')
    if (found.some((one) => same(one, behind))) throw new Refused('trust-duplicate-signer', 'one key has signed twice')
    found.push(behind)
  }
  return found
}

function enough (root, signed) {
  const count = root.keys.filter((key) => signed.some((one) => same(one, key.public.bytes))).length
  if (count < root.threshold) throw new Refused('trust-too-few-signatures', 'fewer roots than the threshold asks for')
}
