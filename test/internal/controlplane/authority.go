package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is longer than any run. Certificates are valid from a little earlier on,
// in case clocks differ.
const (
	certificateLife = 30 * 24 * time.Hour
	clockDifference = time.Hour
)

// An authority signs the certificates of one control plane: those of the API server and of
// its users.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// A keyPair is a certificate and its key, both as PEM.
type keyPair struct{ certificate, key []byte }

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "control plane on loopback"},
		NotBefore:             time.Now().Add(-clockDifference),
		NotAfter:              time.Now().Add(certificateLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key, pem: encode("CERTIFICATE", der)}, nil
}

// server signs a serving certificate for the address and for the names of the API server in
// a cluster.
func (a *authority) server(address string) (keyPair, error) {
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.ParseIP(address), net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 96, 0, 1)},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
	})
}

// client signs a client certificate: the common name is the user, the organizations are the
// groups.
func (a *authority) client(user string, groups []string) (keyPair, error) {
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) sign(template *x509.Certificate) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return keyPair{}, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return keyPair{}, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	// Not PKCS #8: the API server reads the key for service accounts only in this form.
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{certificate: encode("CERTIFICATE", der), key: encode("EC PRIVATE KEY", keyDER)}, nil
}

// files are the paths of the files for the components.
type files struct {
	authority, certificate, key, serviceAccountKey string
}

// writeFiles writes the authority, the serving certificate, and the key for the
// tokens of service accounts into folder.
func (a *authority) writeFiles(folder, address string) (files, error) {
	serving, err := a.server(address)
	if err != nil {
		return files{}, err
	}
	tokens, err := a.client("service accounts", nil) // only its key is used
	if err != nil {
		return files{}, err
	}
	paths := files{
		authority:         filepath.Join(folder, "authority.pem"),
		certificate:       filepath.Join(folder, "kube-apiserver.pem"),
		key:               filepath.Join(folder, "kube-apiserver-key.pem"),
		serviceAccountKey: filepath.Join(folder, "service-account-key.pem"),
	}
	for path, data := range map[string][]byte{
		paths.authority: a.pem, paths.certificate: serving.certificate,
		paths.key: serving.key, paths.serviceAccountKey: tokens.key,
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return files{}, err
		}
	}
	return paths, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
