package v1beta1

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubejson "sigs.k8s.io/json"
)

// UnreadableAnnotation is set on objects in memory only. It holds the reason why its spec or
// status could not be read. A CustomResourceDefinition without validation accepts any
// content; without this, one unreadable object would make the list and watch of all
// others fail.
const UnreadableAnnotation = "external-workload.io/unreadable"

// errUnreadable prevents writes of an object that was not read completely.
var errUnreadable = errors.New("the object was not read completely and must not be written back")

// UnmarshalJSON reads an ExternalWorkload. A spec or status of the wrong type is left
// empty, with the reason in UnreadableAnnotation. Only unreadable metadata is an error.
func (w *ExternalWorkload) UnmarshalJSON(data []byte) error {
	*w = ExternalWorkload{}
	if decodeOnce(data, w) {
		return nil
	}
	*w = ExternalWorkload{}
	return w.decodeGenerally(data)
}

// decodeGenerally reads an ExternalWorkload in any valid JSON form.
func (w *ExternalWorkload) decodeGenerally(data []byte) error {
	type plain ExternalWorkload
	whole := kubejson.UnmarshalCaseSensitivePreserveInts(data, (*plain)(w))
	if whole == nil {
		// Drop a stored annotation of this name: only the decoder sets it.
		delete(w.Annotations, UnreadableAnnotation)
		return nil
	}
	var parts struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec, Status      json.RawMessage
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return fmt.Errorf("reading an ExternalWorkload: %w", whole)
	}
	*w = ExternalWorkload{TypeMeta: parts.TypeMeta, ObjectMeta: parts.ObjectMeta}
	if kubejson.UnmarshalCaseSensitivePreserveInts(parts.Spec, &w.Spec) != nil {
		w.Spec = ExternalWorkloadSpec{}
	}
	if kubejson.UnmarshalCaseSensitivePreserveInts(parts.Status, &w.Status) != nil {
		w.Status = ExternalWorkloadStatus{}
	}
	metav1.SetMetaDataAnnotation(&w.ObjectMeta, UnreadableAnnotation, brief(whole.Error()))
	return nil
}

// maxProblem limits the length of the reason, which may repeat a value of the object.
const maxProblem = 256

func brief(problem string) string {
	if len(problem) <= maxProblem {
		return problem
	}
	return strings.ToValidUTF8(problem[:maxProblem], "") + "..."
}

// MarshalJSON writes an ExternalWorkload. It fails for an object that was not read
// completely: writing it back would lose stored content.
func (w ExternalWorkload) MarshalJSON() ([]byte, error) {
	if _, unreadable := w.Annotations[UnreadableAnnotation]; unreadable {
		return nil, fmt.Errorf("writing ExternalWorkload %s/%s: %w", w.Namespace, w.Name, errUnreadable)
	}
	type plain ExternalWorkload
	return json.Marshal(plain(w))
}
