package readiness

import "github.com/external-workload/controller/pkg/apis/workload/v1beta1"

// reportOverruled records, once, that another manager has overwritten the condition
// Ready of the manifest.
func (c *Controller) reportOverruled(before, after *v1beta1.ExternalWorkload) {
	overruled := after.Annotations[v1beta1.OverruledAnnotation]
	if overruled == "" || overruled == before.Annotations[v1beta1.OverruledAnnotation] || sourceOf(after) != SourceOther {
		return
	}
	c.config.Events.Record(eventDeclarationOverruled, after, nil,
		"%s; to declare it all the same, set the annotation %s", overruled, v1beta1.ReadyAnnotation)
}
