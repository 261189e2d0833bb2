// Package auth takes the place of a fork that Traefik uses for its middlewares of
// basic and digest authentication. It lets nobody in.
package auth

import "net/http"

// SecretProvider gives the secret of a user.
type SecretProvider func(user, realm string) string

// CheckSecret accepts no password.
func CheckSecret(password, secret string) bool { return false }

// BasicAuth refuses every request.
type BasicAuth struct {
	Realm   string
	Secrets SecretProvider
}

// RequireAuth refuses the request.
func (*BasicAuth) RequireAuth(w http.ResponseWriter, r *http.Request) { refuse(w) }

// DigestAuth refuses every request.
type DigestAuth struct{}

// NewDigestAuthenticator gives one that refuses every request.
func NewDigestAuthenticator(realm string, secrets SecretProvider) *DigestAuth { return &DigestAuth{} }

// CheckAuth gives no user.
func (*DigestAuth) CheckAuth(r *http.Request) (user string, info *string) { return "", nil }

// RequireAuth refuses the request.
func (*DigestAuth) RequireAuth(w http.ResponseWriter, r *http.Request) { refuse(w) }

// RequireAuthStale refuses the request.
func (*DigestAuth) RequireAuthStale(w http.ResponseWriter, r *http.Request) { refuse(w) }

// DigestAuthParams gives no parameters.
func DigestAuthParams(authorization string) map[string]string { return nil }

func refuse(w http.ResponseWriter) {
	http.Error(w, "this build of Traefik has no basic or digest authentication", http.StatusUnauthorized)
}
