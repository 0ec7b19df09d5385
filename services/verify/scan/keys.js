// Public keys: their short name, and whether a signature is theirs.

import { isBytes, same, write } from './cbor.js'
import { Refused } from './refused.js'

export const ED25519 = -19
export const ESP256 = -9
export const KID_BYTES = 4

/** The key of a COSE_Key that has these members and no other; anything else is refused by `code`. */
export function publicKey (members, code) {
  const [kty, crv, x, y] = members instanceof Map ? [1, -1, -2, -3].map((name) => members.get(name)) : []
  if (kty === 1 && crv === 6 && members.size === 3 && isBytes(x) && x.length === 32) return new PublicKey(ED25519, members, x)
  if (kty === 2 && crv === 1 && members.size === 4 && isBytes(x) && isBytes(y) && x.length === 32 && y.length === 32) {
    return new PublicKey(ESP256, members, new Uint8Array([4, ...x, ...y]))
  }
  throw new Refused(code, 'not a COSE_Key of Ed25519 or P-256')
}

class PublicKey {
  constructor (alg, members, bytes) {
    this.alg = alg
    this._members = members
    this.bytes = bytes
    this._imported = undefined
  }

  /** The first four bytes of the RFC 9679 thumbprint: a hint, which two keys may share. */
  async kid () {
    this._kid ??= crypto.subtle.digest('SHA-256', write(this._members))
    return new Uint8Array(await this._kid, 0, KID_BYTES)
  }

  async verify (signature, message) {
    if (signature.length !== 64) return false
    try {
      return await (this.alg === ED25519 ? this._ed25519(signature, message) : this._es256(signature, message))
    } catch {
      return false // a key or a point that is none
    }
  }

  async _ed25519 (signature, message) {
    if (await nativeEd25519()) {
      this._imported ??= crypto.subtle.importKey('raw', this.bytes, 'Ed25519', false, ['verify'])
      return crypto.subtle.verify('Ed25519', await this._imported, signature, message)
    }
    const { verifyAsync } = await import('./lib/@noble/ed25519/index.js')
    // Without zip215: false it takes encodings that RFC 8032 forbids.
    return verifyAsync(signature, message, this.bytes, { zip215: false })
  }

  async _es256 (signature, message) {
    this._imported ??= crypto.subtle.importKey('raw', this.bytes, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
    return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, await this._imported, signature, message)
  }
}

let asked

/** Whether this browser's own cryptography knows Ed25519; asked once, by a signature of RFC 8032 (7.1, test 1). */
function nativeEd25519 () {
  asked ??= (async () => {
    try {
      const key = await crypto.subtle.importKey('raw', hex(KNOWN.key), 'Ed25519', false, ['verify'])
      return await crypto.subtle.verify('Ed25519', key, hex(KNOWN.signature), new Uint8Array())
    } catch {
      return false
    }
  })()
  return asked
}

const KNOWN = {
  key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  signature: 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
}

const hex = (text) => Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16))

/** Of these keys, those that may stand behind a signature: same kind, same short name. */
export async function named (keys, alg, kid) {
  const found = []
  for (const key of keys) {
    if (key.public.alg === alg && same(await key.public.kid(), kid)) found.push(key)
  }
  return found
}
