/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's interface over a tree by start: a search looks at all of them. */
#ifndef _UNIT_LINUX_INTERVAL_TREE_H
#define _UNIT_LINUX_INTERVAL_TREE_H

#include <linux/rbtree.h>

struct interval_tree_node {
	struct rb_node rb;
	unsigned long start, last;
};

#define interval_of(node) rb_entry_safe(node, struct interval_tree_node, rb)

static inline bool interval_less(struct rb_node *a, const struct rb_node *b)
{
	return interval_of(a)->start < interval_of(b)->start;
}

static inline void interval_tree_insert(struct interval_tree_node *node,
					struct rb_root_cached *root)
{
	rb_add(&node->rb, &root->rb_root, interval_less);
}

static inline void interval_tree_remove(struct interval_tree_node *node,
					struct rb_root_cached *root)
{
	rb_erase(&node->rb, &root->rb_root);
}

static inline struct interval_tree_node *
interval_from(struct interval_tree_node *node, unsigned long start, unsigned long last)
{
	while (node && node->last < start)
		node = interval_of(rb_next(&node->rb));
	return node && node->start <= last ? node : NULL;
}

static inline struct interval_tree_node *
interval_tree_iter_first(struct rb_root_cached *root, unsigned long start, unsigned long last)
{
	return interval_from(interval_of(rb_first(&root->rb_root)), start, last);
}

static inline struct interval_tree_node *
interval_tree_iter_next(struct interval_tree_node *node, unsigned long start,
			unsigned long last)
{
	return interval_from(interval_of(rb_next(&node->rb)), start, last);
}

#endif
