package kubeproxy

import (
	"io"
	"os"
	"testing"

	"k8s.io/klog/v2"
)

// TestMain silences kube-proxy, which logs every invalid port in a slice.
func TestMain(m *testing.M) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}
