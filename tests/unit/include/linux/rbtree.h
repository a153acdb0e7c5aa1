/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's interface over another tree: a treap, whose shape comes from random
 * priorities. Built to be short; what is tested is who uses it.
 */
#ifndef _UNIT_LINUX_RBTREE_H
#define _UNIT_LINUX_RBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rb_node {
	struct rb_node *rb_left, *rb_right, *up;
	uint64_t priority;
};

struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; };

#define RB_ROOT		((struct rb_root){ NULL })
#define RB_ROOT_CACHED	((struct rb_root_cached){ { NULL } })

#define container_of(ptr, type, member)	((type *)((char *)(ptr) - offsetof(type, member)))
#define rb_entry(ptr, type, member)	container_of(ptr, type, member)
#define rb_entry_safe(ptr, type, member) ({					\
	struct rb_node *node_ = (struct rb_node *)(ptr);			\
	node_ ? rb_entry(node_, type, member) : NULL;				\
})

/* What points to @node. */
static inline struct rb_node **rb_link(struct rb_node *node, struct rb_root *root)
{
	return !node->up ? &root->rb_node :
	       node->up->rb_left == node ? &node->up->rb_left : &node->up->rb_right;
}

/* @node takes the place of its parent. */
static inline void rb_rise(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent = node->up, *inner;

	*rb_link(parent, root) = node;
	node->up = parent->up;
	if (parent->rb_left == node) {
		inner = parent->rb_left = node->rb_right;
		node->rb_right = parent;
	} else {
		inner = parent->rb_right = node->rb_left;
		node->rb_left = parent;
	}
	parent->up = node;
	if (inner)
		inner->up = parent;
}

static inline void rb_add(struct rb_node *node, struct rb_root *root,
			  bool (*less)(struct rb_node *a, const struct rb_node *b))
{
	static uint64_t seed = 1;
	struct rb_node **at = &root->rb_node, *up = NULL;

	while (*at) {
		up = *at;
		at = less(node, up) ? &up->rb_left : &up->rb_right;
	}
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	*node = (struct rb_node){ .up = up, .priority = seed >> 16 };
	*at = node;
	while (node->up && node->up->priority < node->priority)
		rb_rise(node, root);
}

static inline void rb_erase(struct rb_node *node, struct rb_root *root)
{
	while (node->rb_left || node->rb_right) {
		struct rb_node *left = node->rb_left, *right = node->rb_right;

		rb_rise(!right || (left && left->priority > right->priority) ? left : right,
			root);
	}
	*rb_link(node, root) = NULL;
}

static inline struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *node = root->rb_node;

	while (node && node->rb_left)
		node = node->rb_left;
	return node;
}

static inline struct rb_node *rb_next(const struct rb_node *node)
{
	if (node->rb_right)
		return rb_first(&(struct rb_root){ node->rb_right });
	while (node->up && node->up->rb_right == node)
		node = node->up;
	return node->up;
}

#endif
