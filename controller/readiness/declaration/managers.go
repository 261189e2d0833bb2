package declaration

import (
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// maxFields is the maximum size of one manager's managedFields that is read. Those of a
// workload with a hundred ports have 20 KiB.
const maxFields = 64 << 10

// appliers are the managers that apply a manifest with every write. Another manager
// that owns the manifest's annotation, such as the restore of a backup, may have
// written later for another reason, so its time is not the time of the apply.
var appliers = []string{
	"kubectl-client-side-apply", "kubectl-last-applied", "argocd-controller", "argocd-application-controller",
}

// write is the last write of a field: manager and time.
type write struct {
	manager string
	at      time.Time
}

// fields is the part of managedFields that is read. Conditions are a map by type if the
// definition says so, and one value in Linkerd's definition.
type fields struct {
	Metadata struct {
		Annotations map[string]json.RawMessage `json:"f:annotations"`
	} `json:"f:metadata"`
	Status struct {
		Conditions map[string]map[string]json.RawMessage `json:"f:conditions"`
	} `json:"f:status"`
}

const readyKey = `k:{"type":"Ready"}`

// appliedAt returns when the manifest in LastApplied was applied; zero if unknown.
func appliedAt(entries []metav1.ManagedFieldsEntry) time.Time {
	var latest time.Time
	for i := range entries {
		entry := &entries[i]
		if entry.Subresource != "" || entry.Time == nil || !slices.Contains(appliers, entry.Manager) {
			continue
		}
		if _, owned := fieldsOf(entry).Metadata.Annotations["f:"+LastApplied]; owned && entry.Time.After(latest) {
			latest = entry.Time.Time
		}
	}
	return latest
}

// readyWriter returns the last writer of the condition Ready. Several managers own
// parts of it after one changed only its status: the owner of the status counts. If no
// manager owns it alone, the reason shows whether this project wrote it.
func readyWriter(entries []metav1.ManagedFieldsEntry, reason string) write {
	var last write
	for i := range entries {
		entry := &entries[i]
		if entry.Subresource != "status" {
			continue
		}
		conditions := fieldsOf(entry).Status.Conditions
		_, owned := conditions[readyKey]["f:status"]
		whole := conditions != nil && len(conditions) == 0 && !slices.Contains(ownReasons, reason)
		if (owned || whole) && (last.manager == "" || entry.Time == nil || entry.Time.After(last.at)) {
			last = write{manager: entry.Manager}
			if entry.Time != nil {
				last.at = entry.Time.Time
			}
		}
	}
	if last.manager == "" && slices.Contains(ownReasons, reason) {
		return write{manager: FieldManager}
	}
	return last
}

// ownReasons are reasons of the condition Ready that this project writes.
var ownReasons = []string{
	"Declared", "ProbeSucceeded", "ProbeFailed", "ProbeHeld", "AddressChanged", "ProbePending", "NoAddress", "InvalidProbe", "ProbeAddressRefused", "HostNotAllowed",
}

// ReadyManager returns the field manager that wrote the condition Ready last; empty if
// it is not known. The workload needs its managedFields.
func ReadyManager(workload *v1beta1.ExternalWorkload) string {
	ready := readyOf(workload)
	if ready == nil {
		return ""
	}
	return readyWriter(workload.ManagedFields, ready.Reason).manager
}

// OtherManager returns the field manager, other than this project, that wrote the status
// last; empty if it is not known. The workload needs its managedFields.
func OtherManager(workload *v1beta1.ExternalWorkload) string {
	var last metav1.ManagedFieldsEntry
	for _, entry := range workload.ManagedFields {
		if entry.Subresource == "status" && entry.Manager != FieldManager && (last.Manager == "" || last.Time.Before(entry.Time)) {
			last = entry
		}
	}
	return last.Manager
}

func fieldsOf(entry *metav1.ManagedFieldsEntry) fields {
	var owned fields
	if entry.FieldsV1 == nil {
		return owned
	}
	// Unreadable fields own nothing.
	raw := entry.FieldsV1.GetRawBytes()
	if len(raw) > maxFields || json.Unmarshal(raw, &owned) != nil {
		return fields{}
	}
	return owned
}
