package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// handshake returns the certificate that the source shows to a client.
func handshake(t *testing.T, source certificateSource) *x509.Certificate {
	t.Helper()
	near, far := net.Pipe()
	defer func() { _ = near.Close() }()
	served := make(chan error, 1)
	go func() {
		defer func() { _ = far.Close() }()
		served <- tls.Server(far, &tls.Config{GetCertificate: source.certificate}).HandshakeContext(t.Context())
	}()
	client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState().PeerCertificates[0]
}

// writePair writes a new certificate and its key, as if at the given time, and
// returns the certificate.
func writePair(t *testing.T, certificateFile, keyFile string, at time.Time) *x509.Certificate {
	t.Helper()
	pair, err := newSelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.current.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.current.Leaf.Raw}), at)
	writeFile(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), at)
	return pair.current.Leaf
}

func writeFile(t *testing.T, path string, content []byte, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestCertificateFilesAreReadAgainWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		certificateFile := filepath.Join(t.TempDir(), "tls.crt")
		keyFile := filepath.Join(t.TempDir(), "tls.key")
		begin := time.Now()
		first := writePair(t, certificateFile, keyFile, begin)
		source, err := newCertificateFiles(certificateFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		expect := func(step string, want *x509.Certificate) {
			t.Helper()
			if !handshake(t, source).Equal(want) {
				t.Errorf("%s: another certificate is shown", step)
			}
		}
		expect("at first", first)

		second := writePair(t, certificateFile, keyFile, begin.Add(time.Second))
		expect("just rotated", first)
		time.Sleep(certificateCheckInterval)
		expect("after a while", second)

		writeFile(t, certificateFile, []byte("no certificate"), begin.Add(2*time.Second))
		time.Sleep(certificateCheckInterval)
		expect("with a broken file", second)

		if err := os.Remove(certificateFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(certificateCheckInterval)
		expect("without the file", second)

		third := writePair(t, certificateFile, keyFile, begin.Add(3*time.Second))
		time.Sleep(certificateCheckInterval)
		expect("repaired", third)
	})
}

func TestSelfSignedCertificatesAreRenewedBeforeTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, err := newSelfSigned()
		if err != nil {
			t.Fatal(err)
		}
		first := handshake(t, source)
		for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
			if err := first.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(selfSignedFor - renewBefore - time.Second)
		if !handshake(t, source).Equal(first) {
			t.Error("renewed too early")
		}
		time.Sleep(time.Second)
		second := handshake(t, source)
		if second.Equal(first) {
			t.Error("not renewed")
		}
		if bytes.Equal(second.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) {
			t.Error("renewed with the old key")
		}
		if left := time.Until(second.NotAfter); left < selfSignedFor-time.Second {
			t.Errorf("the new certificate lasts %v, want %v", left, selfSignedFor)
		}
	})
}
