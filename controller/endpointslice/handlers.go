package endpointslice

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	coreinformers "k8s.io/client-go/informers/core/v1"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	workloadinformers "github.com/external-workload/controller/pkg/generated/informers/externalversions/workload/v1beta1"
	"github.com/external-workload/controller/pkg/plan"
)

// register adds the event handlers, which turn events into keys.
func (c *Controller) register(i *Informers) error {
	services, err := i.Services.AddTypedEventHandler(coreinformers.ServiceHandlerFuncs{
		AddFunc:    c.setService,
		UpdateFunc: c.updateService,
		DeleteFunc: c.deleteService,
	})
	if err != nil {
		return err
	}
	workloads, err := i.Workloads.TypedInformer().AddTypedEventHandler(workloadinformers.ExternalWorkloadDetailedHandlerFuncs{
		AddFunc:    c.setWorkload,
		UpdateFunc: func(_, now *v1beta1.ExternalWorkload) { c.setWorkload(now, false) },
		DeleteFunc: c.deleteWorkload,
	})
	if err != nil {
		return err
	}
	c.handlers = append(c.handlers, services.HasSyncedChecker(), workloads.HasSyncedChecker())
	for _, informer := range i.Slices {
		slices, err := informer.AddTypedEventHandler(discoveryinformers.EndpointSliceHandlerFuncs{
			AddFunc:    c.enqueueServiceOf,
			UpdateFunc: c.updateSlice,
			DeleteFunc: c.deleteSlice,
		})
		if err != nil {
			return err
		}
		c.handlers = append(c.handlers, slices.HasSyncedChecker())
	}
	return nil
}

func (c *Controller) setService(service *corev1.Service) {
	c.membership.setService(service, c.sighting(false))
	c.changed(cache.MetaObjectToName(service))
}

func (c *Controller) updateService(before, now *corev1.Service) {
	if differs(before, now) {
		c.setService(now)
	}
}

// differs reports whether a cached Service changed in anything but its version. The
// cache has only fields that are read (trimService), so no relevant field is missed.
func differs(before, now *corev1.Service) bool {
	sameVersion := *before
	sameVersion.ResourceVersion, sameVersion.Generation = now.ResourceVersion, now.Generation
	return !equality.Semantic.DeepEqual(&sameVersion, now)
}

func (c *Controller) deleteService(gone coreinformers.DeletedService) {
	key := gone.GetObjectName()
	c.membership.deleteService(key)
	c.changed(key)
}

// sighting returns the Sighting of an object that is observed now.
func (c *Controller) sighting(initial bool) desired.Sighting {
	return desired.Sighting{At: c.config.Clock.Now(), Initial: initial, Recovery: c.config.Recovery()}
}

func (c *Controller) setWorkload(workload *v1beta1.ExternalWorkload, initial bool) {
	effect := c.membership.setWorkload(workload, c.sighting(initial))
	for _, key := range effect.moved {
		c.changed(key)
	}
	for _, key := range effect.changed {
		c.changedAt(key, time.Time{}) // the workload knows when
	}
	if why, unreadable := workload.Annotations[v1beta1.UnreadableAnnotation]; unreadable && effect.differs {
		klog.Background().Error(nil, "ExternalWorkload cannot be read and is not served; correct it", "workload", klog.KObj(workload), "problem", why)
	}
}

func (c *Controller) deleteWorkload(gone workloadinformers.DeletedExternalWorkload) {
	for _, key := range c.membership.deleteWorkload(gone.GetObjectName()) {
		c.changed(key)
	}
}

// changed queues a Service because of a change that is observed now.
func (c *Controller) changed(key cache.ObjectName) { c.changedAt(key, c.config.Clock.Now()) }

// changedAt queues a Service because of a change that was observed at a time.
func (c *Controller) changedAt(key cache.ObjectName, at time.Time) {
	if c.leads.Load() {
		c.changes.add(key, at)
		c.loop.Add(key)
	}
}

// enqueueServiceOf queues the Service that a slice belongs to. This includes our own
// writes, whose sync finds nothing to do, or the next step.
func (c *Controller) enqueueServiceOf(slice *discoveryv1.EndpointSlice) {
	if service, ours := plan.ServiceOf(slice); ours && c.leads.Load() {
		c.loop.Add(cache.NewObjectName(service.Namespace, service.Name))
	}
}

func (c *Controller) updateSlice(before, now *discoveryv1.EndpointSlice) {
	if before.ResourceVersion == now.ResourceVersion {
		return
	}
	c.enqueueServiceOf(before)
	c.enqueueServiceOf(now)
}

func (c *Controller) deleteSlice(gone discoveryinformers.DeletedEndpointSlice) {
	if slice := gone.OptionalObj; slice != nil {
		c.enqueueServiceOf(slice)
	}
}
