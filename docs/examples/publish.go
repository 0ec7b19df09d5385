// Signs one event, publishes it, waits for the decision (Go's standard library alone):
//
//	go run publish.go KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json
//
// Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

var (
	events   = setting("EVENTS_URL", "http://127.0.0.1:8081")
	registry = setting("REGISTRY_URL", "http://127.0.0.1:8082")
	tries    = must(strconv.Atoi(setting("TRIES", "300")))
	client   = http.Client{Timeout: 10 * time.Second}
	b64u     = base64.RawURLEncoding.EncodeToString
)

func main() {
	keyFile, source, signatory, dataFile := os.Args[1], os.Args[2], os.Args[3], os.Args[6]
	kind, subject := os.Args[4], os.Args[5]
	block, _ := pem.Decode(must(os.ReadFile(keyFile)))
	key := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(ed25519.PrivateKey)
	// The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
	kid := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + b64u(key.Public().(ed25519.PublicKey)) + `"}`))
	header := `{"alg":"Ed25519","kid":"` + b64u(kid[:]) + `","typ":"certmark-event+jws"}`
	chain := url.Values{"source": {source}, "subject": {subject}}
	status, text, head := ask("GET", registry+"/v1/heads?"+chain.Encode(), "")
	if status != 200 {
		log.Fatal(text)
	}
	event := map[string]any{"specversion": "1.0", "id": newUUID(), "source": source, "type": kind, "subject": subject,
		"time": time.Now().UTC(), "sequence": int(head["sequence"].(float64)) + 1, "signatory": signatory,
		"data": json.RawMessage(must(os.ReadFile(dataFile)))}
	if head["previous"] != nil {
		event["previous"] = head["previous"]
	}
	signingInput := b64u([]byte(header)) + "." + b64u(must(json.Marshal(event)))
	jws := signingInput + "." + b64u(ed25519.Sign(key, []byte(signingInput)))
	fmt.Println(jws)
	status, text, answer := ask("POST", events+"/v1/events", jws)
	if status == 202 { // the log has it
		digest := sha256.Sum256([]byte(signingInput))
		status, text, answer = ask("GET", fmt.Sprintf("%s/v1/decisions/%x", registry, digest), "")
	}
	fmt.Println(text)
	if status != 200 || answer["decision"] != "accepted" {
		os.Exit(1)
	}
}

// ask returns status, text and JSON of the answer. Until then the same bytes go out (signed anew it would be a second
// event).
func ask(method, address, jws string) (int, string, map[string]any) {
	for tried := 0; tried < tries; tried++ {
		request := must(http.NewRequest(method, address, strings.NewReader(jws)))
		request.Header.Set("Content-Type", "application/jose")
		if answer, err := client.Do(request); err == nil { // else cut off: unknown whether it was stored
			var said map[string]any
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			json.Unmarshal(text, &said) // nothing is said where it is not ours and no JSON
			status, notYet := answer.StatusCode, said["decision"] == "pending" || answer.StatusCode == 404 && method == "GET"
			if err == nil && !notYet && status != 429 && status < 500 {
				return status, strings.TrimSpace(string(text)), said
			}
			seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
			time.Sleep(time.Duration(seconds) * time.Second)
		}
		time.Sleep(200 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "unknown: send the same bytes again later")
	os.Exit(2)
	return 0, "", nil
}

func newUUID() string {
	random := make([]byte, 16)
	must(rand.Read(random))
	x := fmt.Sprintf("%x", random)
	return x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-a" + x[17:20] + "-" + x[20:]
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
