package declaration

import (
	"encoding/json"
	"strings"

	kubejson "sigs.k8s.io/json"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// maxManifest bounds the manifest that is read. One with a hundred ports,
	// which is all that a workload may have, takes 8 KiB.
	maxManifest = 32 << 10
	// maxStatus bounds the status that is kept. No word for a boolean is longer.
	maxStatus = 16
)

// manifest is the part of a manifest that counts.
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

// lastAppliedReady returns the status of the condition Ready in the manifest that
// was applied last; empty if it has none. A manifest of another object, which
// was copied along with its annotations, and one that contradicts itself say
// nothing.
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

// wordOf returns a status as it was written: YAML takes True without quotes for a
// boolean. One that is neither a text nor a boolean is kept as it is, cut, so
// that it is refused with a reason.
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
