package machine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/invitation"
)

type fieldSet = map[string]any

// managerEntry is an entry of managedFields.
type managerEntry = map[string]any

// owning returns the field set of one path, such as metadata, labels, app.
func owning(path ...string) fieldSet {
	set := fieldSet{}
	for _, name := range slices.Backward(path) {
		set = fieldSet{"f:" + name: set}
	}
	return set
}

// entryOf returns the entry of a manager that wrote some minutes after the others.
func entryOf(manager, operation string, minutes int, fields fieldSet) managerEntry {
	at := time.Date(2026, 1, 1, 0, minutes, 0, 0, time.UTC).Format(time.RFC3339)
	return managerEntry{
		"manager": manager, "operation": operation, "apiVersion": v1beta1.GroupVersion.String(), "time": at,
		"fieldsType": "FieldsV1", "fieldsV1": fields,
	}
}

// entriesOf returns entries of a number of managers, each a minute later than the last and
// with its own label.
func entriesOf(count int, operation string) []managerEntry {
	var entries []managerEntry
	for i := range count {
		name := fmt.Sprintf("%s-%02d", operation, i)
		entries = append(entries, entryOf(name, operation, i, owning("metadata", "labels", name)))
	}
	return entries
}

func ofStatus(entry managerEntry) managerEntry {
	entry["subresource"] = "status"
	entry["fieldsV1"] = owning("status", "conditions")
	return entry
}

// TestNoNumberOfManagersHidesAForgedOne has objects with so many entries of managedFields that
// the API server merges some when the machine writes. The machine must still be able to
// register, and must still not change the entries of others.
func TestNoNumberOfManagersHidesAForgedOne(t *testing.T) {
	c := newCluster(t, true)
	kubeconfig := c.inviteFields()
	updates := func(count int, more ...managerEntry) []managerEntry {
		return append(entriesOf(count, "Update"), more...)
	}
	own := entryOf(invitation.FieldManager, "Update", 30, owning("spec", "workloadIPs"))
	ancient := entryOf("ancient-changes", "Update", 0, owning("metadata", "labels", "old"))
	twoLabels := owning("metadata", "labels", "one")
	twoLabels["f:metadata"].(fieldSet)["f:labels"].(fieldSet)["f:two"] = fieldSet{}
	for _, test := range []struct {
		sentence string
		before   []managerEntry
	}{
		{"nine Update entries", updates(9)},
		{"nine Update entries and its own", updates(9, own)},
		{"ten Update entries", updates(10)},
		{"ten Update entries, nine of others", updates(8, own, ancient)},
		{"ten Update entries, the oldest of which is that of earlier merges", updates(10, ancient)[1:]},
		{"ten Update entries, the oldest of which owns two labels", append([]managerEntry{entryOf("Update-00", "Update", 0, twoLabels)}, updates(10)[1:]...)},
		{"ten Update entries, the oldest of which is of the status", append([]managerEntry{ofStatus(updates(1)[0])}, updates(10)[1:]...)},
		{"ten Update entries, the oldest of which owns the addresses", append([]managerEntry{entryOf("Update-00", "Update", 0, owning("spec", "workloadIPs"))}, updates(10)[1:]...)},
		{"twelve Apply entries", entriesOf(12, "Apply")},
		{"twelve Apply and ten Update entries", append(entriesOf(12, "Apply"), updates(10)...)},
		{"as many Apply entries as no object has, and ten Update entries", append(entriesOf(59, "Apply"), updates(10)...)},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			c.setManagers(test.before)
			stored := c.managers()
			if len(stored) != len(test.before) {
				t.Fatalf("the object has %d entries, want %d", len(stored), len(test.before))
			}
			for what, forged := range forgeries(stored) {
				for _, ips := range []string{"10.77.0.7", "10.77.0.99"} {
					c.setManagers(test.before)
					patch := fmt.Sprintf(`{"metadata":{"managedFields":%s},"spec":{"workloadIPs":[{"ip":%q}]}}`, encode(forged), ips)
					// The API server accepts a request that changes only times, and ignores it.
					if err := c.patchAs(kubeconfig, patch); err == nil && !slices.Equal(othersOf(stored), othersOf(c.managers())) {
						t.Errorf("the machine has forged %s, with address %s: %s", what, ips, encode(c.managers()))
					}
				}
			}
			c.setManagers(test.before)
			if err := c.patchAs(kubeconfig, `{"spec":{"workloadIPs":[{"ip":"10.77.0.8"}]}}`); err != nil {
				t.Errorf("the machine may not set its address: %v; entries before: %s", err, encode(stored))
			}
			c.must(c.patchAs(c.plane.Kubeconfig(), `{"spec":{"workloadIPs":[{"ip":"10.77.0.7"}]}}`))
		})
	}
}

// othersOf returns the entries of others, without one that owns only the addresses: it is
// removed when the machine changes these.
func othersOf(entries []managerEntry) []string {
	var others []string
	for _, entry := range entries {
		addresses := encode(entry["fieldsV1"]) == encode(owning("spec", "workloadIPs"))
		if entry["manager"] != invitation.FieldManager && !addresses {
			others = append(others, encode(entry))
		}
	}
	return others
}

// forgeries are changes of the entries of others, by description.
func forgeries(stored []managerEntry) map[string][]managerEntry {
	others := slices.DeleteFunc(slices.Clone(stored), func(e managerEntry) bool { return e["manager"] == invitation.FieldManager })
	newest := slices.MaxFunc(others, func(a, b managerEntry) int { return compareTimes(a, b) })
	replaced := func(by ...managerEntry) []managerEntry {
		rest := slices.DeleteFunc(slices.Clone(stored), func(e managerEntry) bool { return encode(e) == encode(newest) })
		return append(rest, by...)
	}
	with := func(field string, value any) managerEntry {
		forged := maps.Clone(newest)
		forged[field] = value
		return forged
	}
	drain := owning("metadata", "annotations", "external-workload.io/drain")
	pinning := entryOf("ancient-changes", "Update", 1, owning("metadata", "labels", "app"))
	merged := entryOf("ancient-changes", "Update", 1, newest["fieldsV1"].(fieldSet))
	return map[string][]managerEntry{
		"a later time of the newest entry":                  replaced(with("time", "2099-01-01T00:00:00Z")),
		"other fields of the newest entry":                  replaced(with("fieldsV1", drain)),
		"another name of the newest entry":                  replaced(with("manager", "kubectl-client-side-apply")),
		"the absence of the newest entry":                   replaced(),
		"the entry of a new manager":                        append(slices.Clone(stored), entryOf("forged", "Update", 20, drain)),
		"an entry of earlier merges that owns a label":      append(slices.Clone(stored), pinning),
		"the newest entry as one of earlier merges":         replaced(merged),
		"an entry of its own that owns a label":             append(slices.Clone(stored), entryOf(invitation.FieldManager, "Apply", 20, owning("metadata", "labels", "app"))),
		"a status entry of another manager":                 append(slices.Clone(stored), ofStatus(entryOf("forged", "Update", 20, nil))),
		"a writer of the status that is the newest manager": append(slices.Clone(stored), ofStatus(maps.Clone(newest))),
	}
}

func compareTimes(a, b managerEntry) int {
	if a["time"].(string) < b["time"].(string) {
		return -1
	}
	return 1
}

// setManagers writes managedFields as the administrator.
func (c *cluster) setManagers(entries []managerEntry) {
	c.Helper()
	patch := fmt.Sprintf(`{"metadata":{"managedFields":%s}}`, encode(entries))
	c.must(c.patchAs(c.plane.Kubeconfig(), patch))
}

// managers are the entries of the stored object.
func (c *cluster) managers() []managerEntry {
	c.Helper()
	text, err := json.Marshal(c.workload("vm-1").ManagedFields)
	c.must(err)
	var entries []managerEntry
	c.must(json.Unmarshal(text, &entries))
	return entries
}
