// What stays on this device between visits: one record in IndexedDB, or in memory where the browser keeps nothing.

const NAME = 'certmark-scan'
const RECORD = 'held'
const PATIENCE_MS = 3000 // some browsers' storage never answers
let memory = {}

export async function load () {
  try {
    return await inStore('readonly', (store) => store.get(RECORD)) ?? memory
  } catch {
    return memory
  }
}

/** Whether it was kept beyond this visit. */
export async function save (held) {
  memory = held
  try {
    await inStore('readwrite', (store) => store.put(held, RECORD))
    return true
  } catch {
    return false
  }
}

async function inStore (mode, ask) {
  const database = await new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore(NAME)
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
    setTimeout(reject, PATIENCE_MS, new Error('no answer'))
  })
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(NAME, mode)
      const asked = ask(transaction.objectStore(NAME))
      transaction.oncomplete = () => resolve(asked.result)
      transaction.onerror = transaction.onabort = () => reject(transaction.error)
    })
  } finally {
    database.close()
  }
}
