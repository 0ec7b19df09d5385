// The camera, until a code is seen or it is closed.

const EVERY_MS = 120

/** Thrown with `reason` `denied` or `missing`. */
export class NoCamera extends Error {
  constructor (reason) {
    super(reason)
    this.reason = reason
  }
}

/** The camera's picture in `video`; a function that closes it. */
export async function openCamera (video) {
  let stream
  try {
    const wanted = { facingMode: { ideal: 'environment' }, width: { ideal: 1280 }, height: { ideal: 720 } }
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false })
  } catch (error) {
    throw new NoCamera(['NotAllowedError', 'SecurityError'].includes(error.name) ? 'denied' : 'missing')
  }
  video.srcObject = stream
  await video.play()
  return () => {
    stream.getTracks().forEach((track) => track.stop())
    video.srcObject = null
  }
}

/** The texts of the first picture with a code in it, or none once `isOpen` says that nobody looks any more. */
export async function watch (video, read, isOpen) {
  while (isOpen()) {
    const texts = video.readyState >= 2 ? await read(video) : []
    if (texts.length) return texts
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
  }
  return []
}
