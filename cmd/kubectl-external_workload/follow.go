package main

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// followPause is the wait before an ended watch is restarted.
const followPause = time.Second

// source lists and watches objects of one kind.
type source[T any] struct {
	list  func(context.Context, metav1.ListOptions) ([]*T, string, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// follow calls listed with all objects, then changed with each changed one, and listed
// again after each interruption of the watch. It returns when either returns false,
// when the first list fails, or when ctx is cancelled. It reports later failures to
// failed, and retries.
func (s source[T]) follow(ctx context.Context, listed func([]*T) bool, changed func(watch.EventType, *T) bool, failed func(error)) error {
	for first := true; ; first = false {
		objects, version, err := s.list(ctx, metav1.ListOptions{})
		switch {
		case err != nil && (first || ctx.Err() != nil):
			return err
		case err != nil:
			failed(err)
		case !listed(objects):
			return nil
		default:
			goOn, err := s.watchFrom(ctx, version, changed)
			if !goOn || ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed(err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followPause):
		}
	}
}

// watchFrom watches until the watch ends. It returns false if changed does.
func (s source[T]) watchFrom(ctx context.Context, version string, changed func(watch.EventType, *T) bool) (bool, error) {
	w, err := s.watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		return true, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		switch object := event.Object.(type) {
		case *metav1.Status:
			if apierrors.IsGone(apierrors.FromObject(object)) || apierrors.IsResourceExpired(apierrors.FromObject(object)) {
				return true, nil
			}
			return true, apierrors.FromObject(object)
		default:
			if typed, is := any(object).(*T); is && !changed(event.Type, typed) {
				return false, nil
			}
		}
	}
	return true, nil
}
