package main

import (
	"bytes"
	"log"
	"os"
	"strings"
	"testing"

	"k8s.io/klog/v2"
)

// The fault: net/http logs unsolicited data from a remote machine with the standard
// logger, which wrote to the program's output.
func TestStandardLoggerIsForDebugging(t *testing.T) {
	flags := log.Flags()
	t.Cleanup(func() {
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
		klog.ClearLogger()
		klog.SetOutput(os.Stderr)
	})
	const said = "Unsolicited response received on idle HTTP channel starting with \"internal secret\""
	for name, test := range map[string]struct {
		verbosity int
		logged    bool
	}{
		"by default nothing is logged": {verbosity: 0},
		"for debugging it is logged":   {verbosity: 4, logged: true},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			setUpLogging(&out, formatJSON, test.verbosity)
			log.Print(said)
			log.Print(strings.Repeat("x", 10<<10))
			if logged := strings.Contains(out.String(), "internal secret"); logged != test.logged {
				t.Errorf("logged %t, want %t: %s", logged, test.logged, out.String())
			}
			if out.Len() > 4<<10 {
				t.Errorf("%d bytes were logged", out.Len())
			}
		})
	}
}
