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
import java.security.interfaces.*;
import java.security.spec.*;
import java.time.*;
import java.util.*;
import java.util.regex.Pattern;

class Publish {
    static final String EVENTS = System.getenv().getOrDefault("EVENTS_URL", "http://127.0.0.1:8081");
    static final String REGISTRY = System.getenv().getOrDefault("REGISTRY_URL", "http://127.0.0.1:8082");
    static final int TRIES = Integer.parseInt(System.getenv().getOrDefault("TRIES", "300"));
    static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] args) throws Exception {
        String source = args[1], signatory = args[2], type = args[3], subject = args[4];
        if (subject.contains("\uFFFD")) throw new IOException("misread by Java: set LC_ALL=C.UTF-8");
        String data = Files.readString(Path.of(args[5]));
        KeyPair key = readKey(Files.readString(Path.of(args[0])));
        // The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
        byte[] x = Arrays.copyOfRange(key.getPublic().getEncoded(), 12, 44); // behind the fixed head of its X.509 form
        String kid = b64u(sha256("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" + b64u(x) + "\"}"));
        String header = "{\"alg\":\"Ed25519\",\"kid\":\"" + kid + "\",\"typ\":\"certmark-event+jws\"}";
        var head = ask(REGISTRY + "/v1/heads?source=" + escaped(source) + "&subject=" + escaped(subject), null);
        String event = """
            {"specversion":"1.0","id":"%s","source":%s,"type":%s,"subject":%s,"time":"%s",
            "sequence":%d,"previous":%s,"signatory":%s,"data":%s}""".formatted(UUID.randomUUID(), quoted(source),
            quoted(type), quoted(subject), Instant.now(), Long.parseLong(member(head, "sequence")) + 1,
            member(head, "previous"), quoted(signatory), data);
        String signingInput = b64u(header.getBytes(UTF_8)) + "." + b64u(event.getBytes(UTF_8));
        Signature signature = Signature.getInstance("Ed25519");
        signature.initSign(key.getPrivate());
        signature.update(signingInput.getBytes(UTF_8));
        String jws = signingInput + "." + b64u(signature.sign());
        System.out.println(jws);
        var answer = ask(EVENTS + "/v1/events", jws);
        if (answer.statusCode() == 202) // the log has it
            answer = ask(REGISTRY + "/v1/decisions/" + HexFormat.of().formatHex(sha256(signingInput)), null);
        System.out.writeBytes((answer.body().strip() + "\n").getBytes(UTF_8));
        System.exit(answer.statusCode() == 200 && member(answer, "decision").equals("\"accepted\"") ? 0 : 1);
    }

    /** The answer. Until then the same bytes go out (signed anew it would be a second event). */
    static HttpResponse<String> ask(String url, String jws) throws InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(10));
        if (jws != null) request.header("Content-Type", "application/jose").POST(BodyPublishers.ofString(jws));
        for (int tried = 0; tried < TRIES; tried++) {
            long wait = 0;
            try {
                var answer = HTTP.send(request.build(), BodyHandlers.ofString());
                int status = answer.statusCode();
                boolean pending = status == 200 && member(answer, "decision").equals("\"pending\"");
                boolean notYet = pending || status == 404 && jws == null;
                if (!(notYet || status == 429 || status >= 500)) return answer;
                wait = answer.headers().firstValueAsLong("Retry-After").orElse(0);
            } catch (IOException cutOff) { // unknown whether it was stored
            }
            Thread.sleep(1000 * wait + 200);
        }
        System.err.println("unknown: send the same bytes again later");
        System.exit(2);
        return null;
    }

    /** A member of an answer, as written there: `4`, `"accepted"`, `null`. Objects within it have none of that name. */
    static String member(HttpResponse<String> answer, String name) {
        String value = "(\"(?:[^\"\\\\]|\\\\.)*\"|[^\\s,}]+)";
        var found = Pattern.compile('"' + name + "\"\\s*:\\s*" + value).matcher(answer.body());
        return found.find() ? found.group(1) : "";
    }

    /** The pair of a PKCS#8 key. The JDK computes the public half of a new key alone, so the seed is handed to it. */
    static KeyPair readKey(String pem) throws Exception {
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----.*-----", ""));
        var key = (EdECPrivateKey) KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(der));
        var generator = KeyPairGenerator.getInstance("Ed25519");
        generator.initialize(NamedParameterSpec.ED25519, new SecureRandom() {
            @Override public void nextBytes(byte[] seed) { System.arraycopy(key.getBytes().get(), 0, seed, 0, 32); }
        });
        return generator.generateKeyPair();
    }

    static String quoted(String text) { return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"'; }

    static String b64u(byte[] bytes) { return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes); }

    static String escaped(String text) { return URLEncoder.encode(text, UTF_8); }

    static byte[] sha256(String text) throws Exception {
        return MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
    }
}
