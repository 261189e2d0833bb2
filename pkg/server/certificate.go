package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// certificateCheckInterval is the minimum interval between two checks, by handshakes,
// whether the certificate has to be replaced.
const certificateCheckInterval = 2 * time.Second

// certificateSource gives the certificate of a handshake.
type certificateSource interface {
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

func newCertificateSource(certificateFile, keyFile string) (certificateSource, error) {
	if certificateFile == "" {
		return newSelfSigned()
	}
	return newCertificateFiles(certificateFile, keyFile)
}

// certificateFiles reads a certificate from files, and reads it again after they
// changed. It keeps the last valid certificate while the new files are invalid.
type certificateFiles struct {
	certificateFile, keyFile string

	mu      sync.Mutex
	current *tls.Certificate
	state   string // of the files when they were last read
	checked time.Time
}

func newCertificateFiles(certificateFile, keyFile string) (*certificateFiles, error) {
	files := &certificateFiles{certificateFile: certificateFile, keyFile: keyFile, checked: time.Now()}
	files.state = files.look()
	return files, files.load()
}

func (f *certificateFiles) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.checked) < certificateCheckInterval {
		return f.current, nil
	}
	f.checked = now
	// The state is read before the files and kept also if reading them fails: a file
	// that changes during the read has another state the next time, and an invalid file
	// is reported once.
	state := f.look()
	if state == f.state {
		return f.current, nil
	}
	f.state = state
	logger := klog.LoggerWithValues(klog.FromContext(hello.Context()), "certificate", f.certificateFile, "key", f.keyFile)
	if err := f.load(); err != nil {
		logger.Error(err, "Failed to load the changed certificate files; the previous certificate stays in use")
		return f.current, nil
	}
	logger.Info("Reloaded the certificate files")
	return f.current, nil
}

func (f *certificateFiles) load() error {
	pair, err := tls.LoadX509KeyPair(f.certificateFile, f.keyFile)
	if err != nil {
		return fmt.Errorf("read certificate %q with key %q: %w", f.certificateFile, f.keyFile, err)
	}
	f.current = &pair
	return nil
}

// look returns a text that changes when either file changes.
func (f *certificateFiles) look() string {
	state := ""
	for _, path := range []string{f.certificateFile, f.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			state += err.Error() + "\n"
			continue
		}
		state += fmt.Sprintf("%d bytes of %s\n", info.Size(), info.ModTime().Format(time.RFC3339Nano))
	}
	return state
}
