package chart

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pods gives the Pod specs of the Deployment and of helm test.
func pods(t *testing.T, args ...string) map[string]object {
	t.Helper()
	found := map[string]object{}
	for _, o := range parse(t, render(t, args...)) {
		switch o.kind() {
		case "Pod":
			found[o.name()] = object(o["spec"].(map[string]any))
		case "Deployment":
			found[o.name()] = object(o.at("spec", "template", "spec").(map[string]any))
		}
	}
	return found
}

func container(pod object) object {
	return object(pod["containers"].([]any)[0].(map[string]any))
}

// The restricted Pod Security Standard, and a read-only root beyond it.
func TestPodsAreHardened(t *testing.T) {
	for _, values := range cases(t) {
		for name, pod := range pods(t, "--values", values) {
			have := map[string]any{
				"runAsNonRoot":             pod.at("securityContext", "runAsNonRoot"),
				"seccomp":                  pod.at("securityContext", "seccompProfile", "type"),
				"allowPrivilegeEscalation": container(pod).at("securityContext", "allowPrivilegeEscalation"),
				"readOnlyRootFilesystem":   container(pod).at("securityContext", "readOnlyRootFilesystem"),
				"drop":                     container(pod).at("securityContext", "capabilities", "drop"),
			}
			want := map[string]any{
				"runAsNonRoot":             true,
				"seccomp":                  "RuntimeDefault",
				"allowPrivilegeEscalation": false,
				"readOnlyRootFilesystem":   true,
				"drop":                     []any{"ALL"},
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s of %s (-want +have):\n%s", name, values, diff)
			}
		}
	}
}

func TestTheTestPodIsNotTakenForTheController(t *testing.T) {
	objects := parse(t, render(t))
	selector := only(t, objects, "Deployment").at("spec", "selector", "matchLabels").(map[string]any)
	labels := only(t, objects, "Pod").at("metadata", "labels").(map[string]any)
	for key, want := range selector {
		if labels[key] != want {
			return
		}
	}
	t.Error("the Deployment's selector matches the Pod of helm test")
}

var flagPattern = regexp.MustCompile(`^--([a-z-]+)=`)

func TestEveryArgumentIsAFlagOfTheController(t *testing.T) {
	const page = root + "/docs/flags.md"
	documented, err := os.ReadFile(page)
	if os.IsNotExist(err) {
		t.Skipf("left out: %s, the generated list of flags, is not there", page)
	}
	for _, values := range cases(t) {
		pod := pods(t, "--values", values, "--set", "extraArgs=null")["ewc-external-workload-controller"]
		if pod == nil {
			continue
		}
		for _, argument := range container(pod)["args"].([]any) {
			name := flagPattern.FindStringSubmatch(argument.(string))
			if name == nil || !strings.Contains(string(documented), "`--"+name[1]+"`") {
				t.Errorf("%s: %s is no flag of the controller", values, argument)
			}
		}
	}
}
