// Signs one event, publishes it, waits for the decision (Go 1.22 or newer, its standard library alone):
//
//	go run publish.go KEY.pem SOURCE SIGNATORY TYPE SUBJECT DATA.json
//
// Prints the signed event, whose bytes are worth keeping, then the answer. Ends with 0: accepted, 1: not, 2: unknown.
package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

var b64u = base64.RawURLEncoding.EncodeToString
var registry = cmp.Or(os.Getenv("REGISTRY_URL"), "http://127.0.0.1:8082")

func main() {
	source, subject, id := os.Args[2], os.Args[5], make([]byte, 16)
	block, _ := pem.Decode(must(os.ReadFile(os.Args[1])))
	alg, jwk, sign := kind(must(x509.ParsePKCS8PrivateKey(block.Bytes)))
	// The key's name is its RFC 7638 thumbprint: SHA-256 over its required members in alphabetical order.
	kid := sha256.Sum256([]byte(jwk))
	header := `{"alg":"` + alg + `","kid":"` + b64u(kid[:]) + `","typ":"certmark-event+jws"}`
	head := ask("GET", registry+"/v1/heads?"+url.Values{"source": {source}, "subject": {subject}}.Encode(), "")
	must(rand.Read(id))
	id[6], id[8] = 0x40|id[6]&0x0f, 0x80|id[8]&0x3f // a UUID of version 4
	event := map[string]any{"specversion": "1.0", "source": source, "type": os.Args[4], "subject": subject,
		"id": fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), "time": time.Now().UTC(),
		"sequence": int(head["sequence"].(float64)) + 1, "previous": head["previous"], "signatory": os.Args[3],
		"data": json.RawMessage(must(os.ReadFile(os.Args[6])))}
	signingInput := b64u([]byte(header)) + "." + b64u(must(json.Marshal(event)))
	jws := signingInput + "." + b64u(sign(signingInput))
	fmt.Println(jws)
	answer := ask("POST", cmp.Or(os.Getenv("EVENTS_URL"), "http://127.0.0.1:8081")+"/v1/events", jws)
	if answer["code"] == nil { // the log has it
		answer = ask("GET", fmt.Sprintf("%s/v1/decisions/%x", registry, sha256.Sum256([]byte(signingInput))), "")
	}
	fmt.Println(string(must(json.Marshal(answer))))
	if answer["decision"] != "accepted" {
		os.Exit(1)
	}
}

// kind returns what a key's kind is called, its public half, and how it signs.
func kind(key any) (alg, jwk string, sign func(string) []byte) {
	if key, ok := key.(ed25519.PrivateKey); ok {
		jwk = `{"crv":"Ed25519","kty":"OKP","x":"` + b64u(key.Public().(ed25519.PublicKey)) + `"}`
		return "Ed25519", jwk, func(input string) []byte { return ed25519.Sign(key, []byte(input)) }
	}
	p256 := key.(*ecdsa.PrivateKey)
	point := must(p256.PublicKey.ECDH()).Bytes() // a four, x and y
	jwk = `{"crv":"P-256","kty":"EC","x":"` + b64u(point[1:33]) + `","y":"` + b64u(point[33:]) + `"}`
	return "ES256", jwk, func(input string) []byte { // r and s one behind the other, and not as DER
		hash := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, p256, hash[:])
		return append(must(r, err).FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

// ask returns the answer. Until there is one the same bytes go out: signed anew it would be a second event.
func ask(method, address, jws string) map[string]any {
	var answer map[string]any
	for tries := must(strconv.Atoi(cmp.Or(os.Getenv("TRIES"), "300"))); tries > 0; tries-- {
		request := must(http.NewRequest(method, address, strings.NewReader(jws)))
		request.Header.Set("Content-Type", "application/jose")
		seconds := 0
		if found, err := (&http.Client{Timeout: 10 * time.Second}).Do(request); err == nil { // else unknown: cut off
			answer = nil
			err, status := json.NewDecoder(found.Body).Decode(&answer), found.StatusCode
			again := status >= 500 || status == 429 || status == 404 && jws == "" || answer["decision"] == "pending"
			if err == nil && !again && answer["code"] != "unknown-key" {
				return answer
			}
			seconds, _ = strconv.Atoi(found.Header.Get("Retry-After"))
		}
		time.Sleep(time.Duration(seconds)*time.Second + 200*time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "unknown: send the same bytes again later", answer)
	os.Exit(2)
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
