// Answers cases with the scanner's own modules: `node scan_cases.mjs FOLDER` reads one case a line, and writes one answer a line.

import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

if (process.env.WITHOUT_ED25519) { // as in a browser that does not know it
  const importKey = crypto.subtle.importKey.bind(crypto.subtle)
  crypto.subtle.importKey = async (form, key, how, ...rest) => {
    if ((how.name ?? how) === 'Ed25519') throw new DOMException('', 'NotSupportedError')
    return importKey(form, key, how, ...rest)
  }
}

const from = (name) => import(pathToFileURL(`${process.argv[2]}/${name}`).href)
const { recognise } = await from('address.js')
const { opened } = await from('held.js')
const { refresh } = await from('refresh.js')
const { Refused } = await from('refused.js')
const { openList } = await from('status.js')
const { walk } = await from('trust.js')
const { verdict } = await from('verdict.js')

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'))

const stores = ({ bundle, pin, seen, lists }) => ({
  bundle: bundle && bytes(bundle), pin, seen, lists: new Map(Object.entries(lists ?? {}).map(([id, data]) => [Number(id), bytes(data)]))
})

const ways = {
  async refresh ({ stored, files, now }) {
    const asked = []
    const get = async (path) => {
      asked.push(path)
      if (!(path in files)) throw new Refused('http_404', 'not there')
      return bytes(files[path])
    }
    const { bundle, pin, seen, lists, refusals } = await refresh(stores(stored), now, get)
    const kept = Object.fromEntries([...lists].map(([id, data]) => [id, Buffer.from(data).toString('hex')]))
    return { bundle: Buffer.from(bundle).toString('hex'), pin, seen, lists: kept, refusals, asked }
  },
  recognise ({ text, hosts }) {
    const { decided, token, aad } = recognise(text, hosts)
    return { decided: decided ?? null, signed_for: token === null || !aad ? null : Buffer.from(aad).toString() }
  },
  async walk ({ bundle, pin, now, seen }) {
    const found = await walk(bytes(bundle), pin, now, seen)
    return { root: found.rootVersion, list: found.list.version, pin: found.pin }
  },
  async list ({ bundle, pin, now, data, uri, index, units = [] }) {
    const { list } = await walk(bytes(bundle), pin, now)
    const found = await openList(bytes(data), uri, list.signers)
    const told = await Promise.all(units.map((unit) => found.unit(unit.mark_no, Buffer.from(unit.printed))))
    return { iat: found.iat, exp: found.exp, says: found.at(index), ...(units.length ? { units: told } : {}) }
  },
  async verdict ({ text, bundle, pin, lists, now, host }) {
    const held = await opened(bundle ? stores({ bundle, pin, lists }) : {}, host, now)
    const { code, why, claims, gtin, serial } = await verdict(text, held, now)
    return { code, why, mark_no: claims && claims.markNo, model: claims && claims.model, gtin, serial }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { way, ...given } = JSON.parse(line)
  let answer
  try {
    answer = await ways[way](given)
  } catch (error) {
    answer = error.code ? { refused: error.code } : { broken: String(error.stack) }
  }
  console.log(JSON.stringify(answer))
}
