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

var b64u = base64.RawURLEncoding.EncodeToString

func main() {
	registry, source, subject := setting("REGISTRY_URL", "http://127.0.0.1:8082"), os.Args[2], os.Args[5]
	block, _ := pem.Decode(must(os.ReadFile(os.Args[1])))
	key := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(ed25519.PrivateKey)
	// The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
	kid := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + b64u(key.Public().(ed25519.PublicKey)) + `"}`))
	header := `{"alg":"Ed25519","kid":"` + b64u(kid[:]) + `","typ":"certmark-event+jws"}`
	_, head := ask("GET", registry+"/v1/heads?"+url.Values{"source": {source}, "subject": {subject}}.Encode(), "")
	x := make([]byte, 16)
	must(rand.Read(x))
	x[6], x[8] = 0x40|x[6]&0x0f, 0x80|x[8]&0x3f
	id := fmt.Sprintf("%x-%x-%x-%x-%x", x[:4], x[4:6], x[6:8], x[8:10], x[10:])
	event := map[string]any{"specversion": "1.0", "id": id, "source": source, "type": os.Args[4], "subject": subject,
		"time": time.Now().UTC(), "sequence": int(head["sequence"].(float64)) + 1, "previous": head["previous"],
		"signatory": os.Args[3], "data": json.RawMessage(must(os.ReadFile(os.Args[6])))}
	signingInput := b64u([]byte(header)) + "." + b64u(must(json.Marshal(event)))
	jws := signingInput + "." + b64u(ed25519.Sign(key, []byte(signingInput)))
	fmt.Println(jws)
	text, answer := ask("POST", setting("EVENTS_URL", "http://127.0.0.1:8081")+"/v1/events", jws)
	if answer["code"] == nil { // the log has it
		text, answer = ask("GET", fmt.Sprintf("%s/v1/decisions/%x", registry, sha256.Sum256([]byte(signingInput))), "")
	}
	fmt.Println(text)
	if answer["decision"] != "accepted" {
		os.Exit(1)
	}
}

// ask returns text and members of the answer. Until there is one the same bytes go out: signed anew it would be a
// second event.
func ask(method, address, jws string) (string, map[string]any) {
	client := http.Client{Timeout: 10 * time.Second}
	for tries := must(strconv.Atoi(setting("TRIES", "300"))); tries > 0; tries-- {
		seconds, request := 0, must(http.NewRequest(method, address, strings.NewReader(jws)))
		request.Header.Set("Content-Type", "application/jose")
		if found, err := client.Do(request); err == nil { // else cut off: unknown whether it was stored
			var answer map[string]any
			text, err := io.ReadAll(found.Body)
			json.Unmarshal(text, &answer) // nothing is in it where it is not ours and no JSON
			status, waits := found.StatusCode, answer["decision"] == "pending" || found.StatusCode == 404 && jws == ""
			if err == nil && !waits && status != 429 && status < 500 {
				return strings.TrimSpace(string(text)), answer
			}
			seconds, _ = strconv.Atoi(found.Header.Get("Retry-After"))
		}
		time.Sleep(time.Duration(seconds)*time.Second + 200*time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "unknown: send the same bytes again later")
	os.Exit(2)
	return "", nil
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
