package main

import (
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// lifetimeExtension is the name of the extension of a kubeconfig's context that has the
// lifetime of the tokens that the machine requests. kubectl and client-go keep
// extensions that they do not know.
const lifetimeExtension = "external-workload.io/token-lifetime"

// invitedLifetime is the content of the extension.
type invitedLifetime struct {
	// TokenLifetime is a duration such as 240h.
	TokenLifetime string `json:"tokenLifetime"`
}

func newLifetimeExtension(lifetime time.Duration) runtime.Object {
	// A struct of strings always encodes.
	raw, _ := json.Marshal(invitedLifetime{lifetime.String()})
	return &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON}
}

// tokenLifetimeFor is the lifetime of the tokens that register requests: that of the flag,
// or that of the invitation, or the default if the kubeconfig has none. A value that
// cannot be used is an error: the API server may refuse the default, and then the
// machine would lose its access when its token expires.
func (f *registerFlags) tokenLifetimeFor(own *credential) (time.Duration, error) {
	if f.tokenLifetime != 0 {
		return f.tokenLifetime, nil
	}
	extension, found := own.extensions[lifetimeExtension]
	if !found {
		return defaultTokenLifetime, nil
	}
	var content invitedLifetime
	if unknown, ok := extension.(*runtime.Unknown); ok {
		// What does not decode leaves the text empty, which is no duration.
		_ = json.Unmarshal(unknown.Raw, &content)
	}
	lifetime, err := time.ParseDuration(content.TokenLifetime)
	if err != nil || lifetime < minimumLifetime {
		return 0, fmt.Errorf("the kubeconfig's extension %s has the tokenLifetime %q, want a duration of at least %s; correct it, or give --token-lifetime",
			lifetimeExtension, content.TokenLifetime, minimumLifetime)
	}
	return lifetime, nil
}
