package declaration

import (
	"encoding/json"
	"strings"

	kubejson "sigs.k8s.io/json"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// maxManifest is the maximum size of a manifest that is read. One with a hundred
	// ports, the maximum of a workload, has 8 KiB.
	maxManifest = 32 << 10
	// maxStatus is the maximum length of a status. No boolean has a longer spelling.
	maxStatus = 16
)

// manifest is the part of a manifest that is read.
type manifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct {
			Type   string          `json:"type"`
			Status json.RawMessage `json:"status"`
		} `json:"conditions"`
	} `json:"status"`
}

// lastAppliedReady returns the status of the condition Ready in the last applied
// manifest; empty if it has none. It ignores a contradictory manifest, and a manifest
// of another object, whose annotations were copied.
func lastAppliedReady(workload *v1beta1.ExternalWorkload) string {
	text := workload.Annotations[LastApplied]
	if text == "" || len(text) > maxManifest || !strings.Contains(text, `"conditions"`) {
		return ""
	}
	var applied manifest
	strict, err := kubejson.UnmarshalStrict([]byte(text), &applied, kubejson.DisallowDuplicateFields)
	if err != nil || len(strict) > 0 || !applied.describes(workload) {
		return ""
	}
	found := ""
	for _, condition := range applied.Status.Conditions {
		if condition.Type != string(v1beta1.WorkloadReady) {
			continue
		}
		status := wordOf(condition.Status)
		if found != "" && found != status {
			return ""
		}
		found = status
	}
	return found
}

func (m *manifest) describes(workload *v1beta1.ExternalWorkload) bool {
	group, _, _ := strings.Cut(m.APIVersion, "/")
	return group == v1beta1.GroupName && m.Kind == "ExternalWorkload" &&
		m.Metadata.Name == workload.Name &&
		(m.Metadata.Namespace == "" || m.Metadata.Namespace == workload.Namespace)
}

// wordOf returns a status as written: YAML reads True without quotes as a boolean. A
// value that is neither text nor boolean is returned as it is, shortened, so that it is
// refused with a reason.
func wordOf(status json.RawMessage) string {
	word := string(status)
	switch word {
	case "", "null":
		return ""
	case "true":
		return string(v1beta1.ConditionTrue)
	case "false":
		return string(v1beta1.ConditionFalse)
	}
	var text string
	if json.Unmarshal(status, &text) == nil {
		word = text
	}
	if len(word) > maxStatus {
		word = strings.ToValidUTF8(word[:maxStatus], "") + "..."
	}
	return word
}
