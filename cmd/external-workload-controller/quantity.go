package main

import (
	"errors"

	"k8s.io/apimachinery/pkg/api/resource"
)

// byteQuantity is the value of a flag that is an amount of memory, written as in
// the resources of a container.
type byteQuantity struct{ resource.Quantity }

func bytesOf(value int64) byteQuantity {
	return byteQuantity{*resource.NewQuantity(value, resource.BinarySI)}
}

// Set is for package pflag.
func (q *byteQuantity) Set(text string) error {
	parsed, err := resource.ParseQuantity(text)
	if err != nil {
		return errors.New("want an amount of memory such as 64Mi")
	}
	q.Quantity = parsed
	return nil
}

// Type is for package pflag.
func (q *byteQuantity) Type() string { return "quantity" }

// within reports whether the value is from low to high.
func (q *byteQuantity) within(low, high int64) bool {
	return q.CmpInt64(low) >= 0 && q.CmpInt64(high) <= 0
}

// quantityBounds returns the text of bounds of a quantity.
func quantityBounds(low, high int64) string {
	lowest, highest := bytesOf(low), bytesOf(high)
	return bounds(lowest.String(), highest.String())
}
