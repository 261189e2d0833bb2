package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/invitation"
)

func TestTokenIsKeptOnlyInItsFile(t *testing.T) {
	first := machineToken("vm-1", time.Unix(1000, 0), time.Unix(2000, 0))
	second := machineToken("vm-1", time.Unix(1500, 0), time.Unix(9000, 0))
	path := machineKubeconfig(t, "https://192.0.2.1", first, nil)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	own, err := (&connection{kubeconfig: link}).credential()
	if err != nil {
		t.Fatal(err)
	}
	if err := own.store(second); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, want 0600 (%v)", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), first) || !strings.Contains(string(text), "https://192.0.2.1") {
		t.Errorf("%v: %s", err, text)
	}
	again, err := (&connection{kubeconfig: link}).credential()
	if err != nil || !again.Expires.Equal(time.Unix(9000, 0)) {
		t.Errorf("the token is %+v (%v)", again, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("files are left: %v, %v", entries, err)
	}
}

func TestATokenThatCannotBeKeptLeavesTheOldOne(t *testing.T) {
	first := machineToken("vm-1", time.Unix(1000, 0), time.Unix(2000, 0))
	path := machineKubeconfig(t, "https://192.0.2.1", first, nil)
	own, err := (&connection{kubeconfig: path}).credential()
	if err != nil {
		t.Fatal(err)
	}
	own.user = "somebody else"
	if err := own.store("other"); err == nil || !strings.Contains(err.Error(), `no user "somebody else" any more`) {
		t.Errorf("error %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), first) {
		t.Errorf("%v: %s", err, text)
	}
}

func TestRegistrationPatch(t *testing.T) {
	drained := func(value string) build.WorkloadOption { return build.Annotation(v1beta1.DrainAnnotation, value) }
	for sentence, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		starting bool
		want     string
	}{
		"nothing differs":                    {build.Workload("shop/vm-1", build.IPs("10.20.0.7")), true, ""},
		"another address":                    {build.Workload("shop/vm-1", build.IPs("10.20.0.8")), false, `{"spec":{"workloadIPs":[{"ip":"10.20.0.7"}]}}`},
		"no address yet":                     {build.Workload("shop/vm-1", build.IPs()), true, `{"spec":{"workloadIPs":[{"ip":"10.20.0.7"}]}}`},
		"its own drain, on the start":        {build.Workload("shop/vm-1", build.IPs("10.20.0.7"), drained("machine 2026-01-01T00:00:00Z")), true, `{"metadata":{"annotations":{"external-workload.io/drain":null}}}`},
		"its own drain, while it runs":       {build.Workload("shop/vm-1", build.IPs("10.20.0.7"), drained("machine 2026-01-01T00:00:00Z")), false, ""},
		"the drain of somebody else remains": {build.Workload("shop/vm-1", build.IPs("10.20.0.7"), drained("2026-01-01T00:00:00Z")), true, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			addresses, err := invitation.Given([]string{"10.20.0.7"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(registrationPatch(test.workload, addresses, test.starting)); got != test.want {
				t.Errorf("patch %q, want %q", got, test.want)
			}
		})
	}
}
