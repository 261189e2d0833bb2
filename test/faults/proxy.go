package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// answerTimeout is the maximum time that Writes waits for answers of the API server.
const answerTimeout = 10 * time.Second

// Proxy is between one controller process and the API server. Its methods are safe for
// concurrent use.
type Proxy struct {
	address   string
	authority []byte
	target    *url.URL
	transport http.RoundTripper
	gate      *gate
	server    *http.Server
	recorder  *recorder

	mu    sync.Mutex
	rules *ruleSet
	draw  *rand.Rand
}

// NewProxy listens on a free loopback port with TLS and HTTP/2, like the API server, and
// forwards to target with target's credentials. It ends with ctx.
func NewProxy(ctx context.Context, target *rest.Config) (*Proxy, error) {
	config := rest.CopyConfig(target)
	// With its own dialer, the proxy does not share connections with other clients.
	config.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("making the proxy's transport to the API server: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's address: %w", err)
	}
	certificate, authority, err := selfSigned()
	if err != nil {
		return nil, err
	}
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	p := &Proxy{
		address:   "https://" + inner.Addr().String(),
		authority: authority,
		target:    base,
		transport: transport,
		gate:      newGate(),
		recorder:  newRecorder(),
		rules:     newRuleSet(nil),
		draw:      rand.New(rand.NewPCG(1, 1)),
	}
	p.serve(ctx, &listener{Listener: inner, gate: p.gate}, certificate)
	return p, nil
}

type connKey struct{}

func (p *Proxy) serve(ctx context.Context, listener net.Listener, certificate tls.Certificate) {
	p.server = &http.Server{
		Handler:     p,
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if secure, ok := c.(*tls.Conn); ok {
				c = secure.NetConn()
			}
			return context.WithValue(ctx, connKey{}, c)
		},
		ReadHeaderTimeout: time.Minute,
		// This server breaks connections on purpose, so its errors are not logged.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		if err := p.server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("the proxy at %s cannot serve: %v", p.address, err))
		}
	}()
	context.AfterFunc(ctx, p.Close)
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() {
	p.Clear()
	// The server would wait for a dead connection.
	p.gate.each((*conn).reset)
	_ = p.server.Close()
}

// Kubeconfig returns the content of a kubeconfig for the proxy.
func (p *Proxy) Kubeconfig() ([]byte, error) {
	const name = "faults"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: p.address, CertificateAuthorityData: p.authority}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("writing the proxy's kubeconfig: %w", err)
	}
	return content, nil
}

// Config returns a client configuration for the proxy.
func (p *Proxy) Config() *rest.Config {
	return &rest.Config{Host: p.address, TLSClientConfig: rest.TLSClientConfig{CAData: p.authority}}
}

// Seed makes the rules' random decisions repeatable.
func (p *Proxy) Seed(seed uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw = rand.New(rand.NewPCG(seed, seed))
}

// Set replaces all rules. Watches that a former rule stalled or held continue.
func (p *Proxy) Set(rules ...Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.rules.over)
	p.rules = newRuleSet(rules)
}

// Clear removes all rules and thaws the connections.
func (p *Proxy) Clear() {
	p.Set()
	p.Thaw()
}

// Freeze blocks all bytes on open and new connections: a network partition. Thaw ends it, and
// delayed bytes pass.
func (p *Proxy) Freeze() { p.gate.freeze() }

// Thaw ends Freeze.
func (p *Proxy) Thaw() { p.gate.thaw() }

// HalfOpen makes the open connections dead: to the controller they look open, but nothing
// passes. New connections work.
func (p *Proxy) HalfOpen() { p.gate.each((*conn).die) }

// Cut resets the open connections.
func (p *Proxy) Cut() { p.gate.each((*conn).reset) }

// Writes returns every write that reached the API server or that a rule refused, in the
// order of the answers. It waits for pending answers of the API server, but not for ever.
func (p *Proxy) Writes() []Write { return p.recorder.allWrites(answerTimeout) }

// Requests returns the number of requests by "verb resource". A watch that begins with all
// objects counts as a list.
func (p *Proxy) Requests() map[string]int { return p.recorder.allRequests() }

// MostWritesInFlight returns the maximum number of concurrent writes.
func (p *Proxy) MostWritesInFlight() int {
	p.recorder.mu.Lock()
	defer p.recorder.mu.Unlock()
	return p.recorder.mostInFlight
}

// Hits returns the number of requests that each rule matched, by the rule's name, including
// former rules.
func (p *Proxy) Hits() map[string]int { return p.recorder.allHits() }

// Accepted returns the number of connections so far.
func (p *Proxy) Accepted() int {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	return p.gate.accepted
}

func (p *Proxy) choose(r request) (Rule, *ruleSet, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rule, ok := p.rules.choose(r, p.draw.Float64)
	return rule, p.rules, ok
}
