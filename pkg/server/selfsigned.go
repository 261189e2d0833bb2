package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

const (
	// selfSignedFor is the lifetime of a self-signed certificate.
	selfSignedFor = 30 * 24 * time.Hour
	// renewBefore is how long before its expiry it is replaced.
	renewBefore = 10 * 24 * time.Hour
	// backdatedBy is subtracted from the start of its validity, for clients with slow
	// clocks.
	backdatedBy = time.Hour
)

// selfSigned creates self-signed certificates for this host. They encrypt, but clients
// must be configured not to verify them. They are replaced before they expire, and
// exist only in memory.
type selfSigned struct {
	mu      sync.Mutex
	current *tls.Certificate
	renewAt time.Time
}

func newSelfSigned() (*selfSigned, error) {
	source := &selfSigned{}
	return source, source.renew(time.Now())
}

func (s *selfSigned) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); !now.Before(s.renewAt) {
		if err := s.renew(now); err != nil {
			return nil, err
		}
		klog.FromContext(hello.Context()).Info("Renewed the self-signed certificate", "expires", s.current.Leaf.NotAfter)
	}
	return s.current, nil
}

func (s *selfSigned) renew(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate key: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find the name of this host: %w", err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: host},
		DNSNames:    []string{host, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:   now.Add(-backdatedBy),
		NotAfter:    now.Add(selfSignedFor),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("sign certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("parse certificate: %w", err)
	}
	s.current = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	s.renewAt = now.Add(selfSignedFor - renewBefore)
	return nil
}
