package chart

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pods returns the Pod specs of the Deployment and of helm test.
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
				t.Errorf("%s of %s (-want +got):\n%s", name, values, diff)
			}
		}
	}
}

// OpenShift's restricted SCC refuses Pods with a user or a group outside of the range that
// it assigns.
func TestPodsAskForNoUserOrGroup(t *testing.T) {
	for name, pod := range pods(t) {
		for _, field := range []string{"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"} {
			if got := pod.at("securityContext", field); got != nil {
				t.Errorf("%s: %s is %v", name, field, got)
			}
			if got := container(pod).at("securityContext", field); got != nil {
				t.Errorf("%s: %s of the container is %v", name, field, got)
			}
		}
	}
}

// A rolling update runs the old and the new Pod at the same time. Without a Lease both
// would write.
func TestWithoutLeaderElectionTheOldPodEndsFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want any
	}{
		"with leader election":    {nil, nil},
		"without leader election": {[]string{"--set", "leaderElection.enabled=false,replicas=1"}, "Recreate"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := only(t, parse(t, render(t, tc.args...)), "Deployment")
			if got := deployment.at("spec", "strategy", "type"); got != tc.want {
				t.Errorf("the strategy is %v, want %v", got, tc.want)
			}
		})
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

// The program checks its flags before it looks for a cluster, and there is none here. It
// exits with 1 for that, and with 2 for an invalid flag.
func TestTheProgramTakesTheArgumentsOfTheChart(t *testing.T) {
	program := buildProgram(t)
	for _, values := range cases(t) {
		for name, pod := range pods(t, "--values", values, "--set", "extraArgs=null") {
			args := arguments(pod)
			if args[0] == "selftest" {
				continue // run by TestTheControllerPublishesWithTheRightsOfTheChart
			}
			command := exec.CommandContext(t.Context(), program, append(args, "--kubeconfig=there-is-none")...)
			out, _ := command.CombinedOutput()
			if code := command.ProcessState.ExitCode(); code != 1 {
				t.Errorf("%s: %s exits with %d:\n%s", values, name, code, out)
			}
		}
	}
}

// buildProgram builds the controller into a folder of the test.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "external-workload-controller")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/external-workload-controller")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the controller: %v\n%s", err, out)
	}
	return program
}

// arguments returns the arguments of the Pod's first container.
func arguments(pod object) []string {
	var args []string
	for _, arg := range container(pod)["args"].([]any) {
		args = append(args, arg.(string))
	}
	return args
}
