// QR codes in a picture: by the browser where it can, else by zxing-wasm from this host.

const SHRUNK = 2400 // pixels a side that are looked at

/** A function from a picture (bitmap, video, canvas) to the texts of its codes; null where nothing here can read any. */
export async function makeReader (parts) {
  const own = await native()
  if (!own) return parts.wasm ? zxing(parts) : null
  let other = null
  return async (picture) => {
    try {
      if (!other) return await own(picture)
    } catch (error) {
      if (!parts.wasm) throw error
      other = await zxing(parts) // the browser's own is there in name only, as on telephones without its maker's services
    }
    return other(picture)
  }
}

async function native () {
  try {
    if (!(await globalThis.BarcodeDetector.getSupportedFormats()).includes('qr_code')) return null
    const detector = new globalThis.BarcodeDetector({ formats: ['qr_code'] })
    return async (picture) => (await detector.detect(picture)).map((code) => code.rawValue)
  } catch {
    return null
  }
}

async function zxing ({ wasm, wasmIntegrity }) {
  const { prepareZXingModule, readBarcodes } = await import('./lib/zxing-wasm/dist/es/reader/index.js')
  const response = await fetch(wasm, { integrity: wasmIntegrity, credentials: 'omit' })
  if (!response.ok) throw new Error('the reader cannot be had')
  const wasmBinary = await response.arrayBuffer()
  // Without locateFile it would look for its WebAssembly on somebody else's server.
  await prepareZXingModule({ overrides: { wasmBinary, locateFile: () => wasm }, fireImmediately: true })
  const canvas = document.createElement('canvas')
  const pen = canvas.getContext('2d', { willReadFrequently: true })
  return async (picture) => {
    const [width, height] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height]
    const scale = Math.min(1, SHRUNK / Math.max(width, height))
    canvas.width = Math.max(1, Math.round(width * scale))
    canvas.height = Math.max(1, Math.round(height * scale))
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height)
    const found = await readBarcodes(pen.getImageData(0, 0, canvas.width, canvas.height), { formats: ['QRCode'], maxNumberOfSymbols: 16 })
    return found.filter((code) => code.isValid).map((code) => code.text)
  }
}
