// Signs one event, publishes it, waits for the decision (Node 18 or newer, no package):
//   node publish.mjs KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json
// Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const { EVENTS_URL = "http://127.0.0.1:8081", REGISTRY_URL = "http://127.0.0.1:8082", TRIES = 300 } = process.env;
const [keyFile, source, signatory, type, subject, dataFile] = process.argv.slice(2);
const b64u = (text) => Buffer.from(text).toString("base64url");
const sha256 = (text, form) => createHash("sha256").update(text).digest(form);

/** The answer. Until there is one the same bytes go out: signed anew it would be a second event. */
async function ask(url, body) {
  let answer;
  for (let tried = 0, wait = 200; tried < TRIES; tried++, await sleep(wait), wait = 200) {
    const post = body && { method: "POST", headers: { "Content-Type": "application/jose" }, body };
    const found = await fetch(url, { ...post, signal: AbortSignal.timeout(10_000) }).catch(() => null); // cut off
    answer = await found?.json().catch(() => null);
    const again = found?.status === 429 || (found?.status === 404 && !body) || answer?.code === "unknown-key";
    if (found?.status < 500 && !again && answer?.decision !== "pending") return answer;
    wait += 1000 * (found?.headers.get("Retry-After") ?? 0);
  }
  console.error("unknown: send the same bytes again later", answer);
  process.exit(2);
}

const key = createPrivateKey(readFileSync(keyFile));
const { crv, kty, x, y } = createPublicKey(key).export({ format: "jwk" }); // only a key of P-256 has a `y`
const [alg, hash] = y ? ["ES256", "sha256"] : ["Ed25519", null];
// The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
const header = { alg, kid: sha256(JSON.stringify({ crv, kty, x, y }), "base64url"), typ: "certmark-event+jws" };
const { sequence, previous } = await ask(`${REGISTRY_URL}/v1/heads?${new URLSearchParams({ source, subject })}`);
const event = { specversion: "1.0", id: randomUUID(), source, type, subject, time: new Date().toISOString(),
  sequence: sequence + 1, previous, signatory, data: JSON.parse(readFileSync(dataFile, "utf8")) };
const signingInput = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(event))}`;
const jws = `${signingInput}.${b64u(sign(hash, Buffer.from(signingInput), { key, dsaEncoding: "ieee-p1363" }))}`;
console.log(jws);
let answer = await ask(`${EVENTS_URL}/v1/events`, jws);
if (!answer.code) answer = await ask(`${REGISTRY_URL}/v1/decisions/${sha256(signingInput, "hex")}`); // the log has it
console.log(JSON.stringify(answer));
process.exitCode = answer.decision === "accepted" ? 0 : 1;
