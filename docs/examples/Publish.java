// Signs one event, publishes it, waits for the decision (Java 17 or newer, the JDK alone):
//   java Publish.java KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json
// Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.*;
import java.security.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.*;
import java.util.*;
import java.util.regex.*;

class Publish {
    static final String REGISTRY = setting("REGISTRY_URL", "http://127.0.0.1:8082");
    static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] args) throws Exception {
        if (args[4].contains("\uFFFD")) throw new IOException("misread by Java: set LC_ALL=C.UTF-8");
        String pem = Files.readString(Path.of(args[0]));
        byte[] pkcs8 = Base64.getMimeDecoder().decode(pem.replaceAll("-----.*-----", ""));
        boolean p256 = pkcs8.length > 100; // Ed25519's form is short
        String jwk = p256 ? p256(pkcs8) : ed25519(pkcs8);
        // The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
        String header = "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"certmark-event+jws\"}".formatted(
            p256 ? "ES256" : "Ed25519", b64u(sha256(jwk)));
        String about = "source=" + URLEncoder.encode(args[1], UTF_8) + "&subject=" + URLEncoder.encode(args[4], UTF_8);
        String head = ask(REGISTRY + "/v1/heads?" + about, null);
        String event = """
            {"specversion":"1.0","id":"%s","source":%s,"type":%s,"subject":%s,"time":"%s","signatory":%s,
            "sequence":%d,"previous":%s,"data":%s}""".formatted(UUID.randomUUID(), quoted(args[1]), quoted(args[3]),
            quoted(args[4]), Instant.now(), quoted(args[2]), Long.parseLong(member(head, "sequence")) + 1,
            member(head, "previous"), Files.readString(Path.of(args[5])));
        String signingInput = b64u(header.getBytes(UTF_8)) + "." + b64u(event.getBytes(UTF_8));
        Signature signature = Signature.getInstance(p256 ? "SHA256withECDSAinP1363Format" : "Ed25519");
        signature.initSign(KeyFactory.getInstance(p256 ? "EC" : "Ed25519").generatePrivate(new PKCS8EncodedKeySpec(pkcs8)));
        signature.update(signingInput.getBytes(UTF_8));
        String jws = signingInput + "." + b64u(signature.sign());
        System.out.println(jws);
        String answer = ask(setting("EVENTS_URL", "http://127.0.0.1:8081") + "/v1/events", jws);
        if (member(answer, "code").isEmpty()) // the log has it
            answer = ask(REGISTRY + "/v1/decisions/" + HexFormat.of().formatHex(sha256(signingInput)), null);
        System.out.writeBytes((answer.strip() + "\n").getBytes(UTF_8));
        System.exit(member(answer, "decision").equals("\"accepted\"") ? 0 : 1);
    }

    /** The public half of a key of P-256: the point at the end, where OpenSSL and certmark put it. */
    static String p256(byte[] pkcs8) {
        String x = b64u(Arrays.copyOfRange(pkcs8, pkcs8.length - 64, pkcs8.length - 32));
        String y = b64u(Arrays.copyOfRange(pkcs8, pkcs8.length - 32, pkcs8.length));
        return "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" + x + "\",\"y\":\"" + y + "\"}";
    }

    static String ed25519(byte[] pkcs8) throws Exception {
        var generator = KeyPairGenerator.getInstance("Ed25519"); // the JDK makes a public half of "random" seeds alone
        generator.initialize(255, new SecureRandom() {
            @Override public void nextBytes(byte[] seed) { System.arraycopy(pkcs8, 16, seed, 0, 32); }
        });
        byte[] form = generator.generateKeyPair().getPublic().getEncoded(); // a fixed head of 12 bytes, and x
        return "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" + b64u(Arrays.copyOfRange(form, 12, 44)) + "\"}";
    }

    /** The answer. Until then the same bytes go out (signed anew it would be a second event). */
    static String ask(String url, String jws) throws InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(10));
        if (jws != null) request.header("Content-Type", "application/jose").POST(BodyPublishers.ofString(jws));
        String last = "";
        for (int tries = Integer.parseInt(setting("TRIES", "300")); tries > 0; tries--) {
            long wait = 200;
            try {
                var answer = HTTP.send(request.build(), BodyHandlers.ofString());
                int status = answer.statusCode();
                last = answer.body();
                boolean again = status >= 500 || status == 429 || status == 404 && jws == null
                    || member(last, "code").equals("\"unknown-key\"");
                if (!again && !member(last, "decision").equals("\"pending\"")) return last;
                wait += 1000 * answer.headers().firstValueAsLong("Retry-After").orElse(0);
            } catch (IOException cutOff) { } // unknown whether it was stored
            Thread.sleep(wait);
        }
        System.err.println("unknown: send the same bytes again later " + last);
        System.exit(2);
        return null;
    }

    /** A member of an answer, as written there: `4`, `"accepted"`, `null`. Objects within it have none of that name. */
    static String member(String answer, String name) {
        var value = Pattern.compile('"' + name + "\"\\s*:\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|[^\\s,}]+)").matcher(answer);
        return value.find() ? value.group(1) : "";
    }

    static String setting(String name, String otherwise) { return System.getenv().getOrDefault(name, otherwise); }

    static String quoted(String text) { return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"'; }

    static String b64u(byte[] bytes) { return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes); }

    static byte[] sha256(String text) throws Exception {
        return MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
    }
}
