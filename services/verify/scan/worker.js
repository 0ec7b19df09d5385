// The service worker: keeps the page and its files, so that they open with the network off. BUILD and FILES, every
// address with its integrity, stand in front of this when it is served.

/* global BUILD, FILES, caches, clients, self */

const NAME = `certmark-scan-${BUILD}`
const PAGES = { zh: '/scan?lang=zh', en: '/scan?lang=en' }
const PATIENCE_MS = 4000

self.addEventListener('install', (event) => event.waitUntil(install()))
self.addEventListener('activate', (event) => event.waitUntil(activate()))
self.addEventListener('fetch', (event) => {
  const address = new URL(event.request.url)
  if (event.request.method !== 'GET' || address.origin !== self.location.origin) return
  if (event.request.mode === 'navigate' && address.pathname === '/scan') event.respondWith(page(event.request, address))
  else if (address.pathname.startsWith(`/scan/${BUILD}/`)) event.respondWith(file(event.request, address.pathname))
})

/** A new build waits until no page of the old one is open: that one still loads its reader by its own address. */
async function install () {
  const cache = await caches.open(NAME)
  await Promise.all(Object.entries(FILES).map(async ([address, integrity]) => {
    await cache.put(address, await fetch(address, { integrity, credentials: 'omit' }))
  }))
  for (const address of Object.values(PAGES)) {
    const response = await fetch(address, { credentials: 'omit', cache: 'no-cache' })
    // While a new version is being rolled out, another node may give the page of another build.
    if (!response.ok || !(await response.clone().text()).includes(BUILD)) throw new Error('the page is of another build')
    await cache.put(address, response)
  }
}

async function activate () {
  const others = (await caches.keys()).filter((name) => name.startsWith('certmark-scan-') && name !== NAME)
  await Promise.all(others.map((name) => caches.delete(name)))
  await clients.claim()
}

/** The page as it is now; as it was kept, where the network does not answer in time. */
async function page (request, address) {
  const language = address.searchParams.get('lang') ?? (/^zh/i.test(self.navigator.language) ? 'zh' : 'en')
  const kept = await (await caches.open(NAME)).match(PAGES[language] ?? PAGES.zh)
  if (!kept) return fetch(request)
  const fresh = fetch(request).then((response) => response.ok ? response : kept).catch(() => kept)
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, kept))
  return Promise.race([fresh, late])
}

/** A file of this build; what was not taken in at first (the reader) is kept once it was asked for. */
async function file (request, path) {
  const cache = await caches.open(NAME)
  const kept = await cache.match(path)
  if (kept) return kept
  const response = await fetch(request)
  if (response.ok) await cache.put(path, response.clone())
  return response
}
