package invitation

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Token is what a machine's token says of itself. Nobody has verified it: only the
// API server can, so it serves to choose what to request, never to grant anything.
type Token struct {
	Namespace, Workload string
	Issued, Expires     time.Time
	Audiences           []string
}

// ErrNoMachine is the error of ParseToken for the token of somebody else.
var ErrNoMachine = errors.New("the token is not that of an invited machine")

// ParseToken reads the token of a machine's ServiceAccount.
func ParseToken(text string) (Token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Token{}, ErrNoMachine
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Token{}, ErrNoMachine
	}
	var claims struct {
		Subject   string   `json:"sub"`
		Issued    int64    `json:"iat"`
		Expires   int64    `json:"exp"`
		Audiences []string `json:"aud"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return Token{}, ErrNoMachine
	}
	subject := strings.Split(claims.Subject, ":")
	if len(subject) != 4 || subject[0] != "system" || subject[1] != "serviceaccount" {
		return Token{}, ErrNoMachine
	}
	workload, isMachine := workloadOf(subject[3])
	if !isMachine {
		return Token{}, ErrNoMachine
	}
	return Token{
		Namespace: subject[2], Workload: workload, Audiences: claims.Audiences,
		Issued: time.Unix(claims.Issued, 0), Expires: time.Unix(claims.Expires, 0),
	}, nil
}

// Lifetime is the time for which the token was issued.
func (t Token) Lifetime() time.Duration { return t.Expires.Sub(t.Issued) }

// RenewAt is when half of its lifetime is over.
func (t Token) RenewAt() time.Time { return t.Issued.Add(t.Lifetime() / 2) }
